//! Remove a file from its workspace; its history stays.

use uuid::Uuid;
use workroom_domain::workspace::WorkspaceCommand;

use super::FilePlace;
use crate::application::{Command, Error, IfVersion, Unit};

/// Remove a file from its workspace.
#[derive(Clone, Debug)]
pub struct DeleteFile {
    /// The file to remove, with the workspace and the project that it must belong to.
    pub place: FilePlace,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteFile {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let (workspace, _) = self.place.open(unit, &self.if_version).await?;
        unit.decide(&workspace, WorkspaceCommand::DeleteFile { file_id: self.place.file_id })?;
        Ok(())
    }
}
