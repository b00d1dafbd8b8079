//! Put a file elsewhere in its workspace.

use uuid::Uuid;
use workroom_domain::workspace::{FilePath, WorkspaceCommand};

use super::FilePlace;
use crate::application::{Command, Error, IfVersion, Unit};

/// Put a file elsewhere in its workspace.
#[derive(Clone, Debug)]
pub struct MoveFile {
    /// Which file.
    pub place: FilePlace,
    /// Where to; nowhere else when not given.
    pub path: Option<FilePath>,
    /// The version that the change is meant for, if the caller insists on one.
    pub if_version: IfVersion,
}

impl Command for MoveFile {
    type Reply = ();

    fn contended(&self) -> Option<Uuid> {
        Some(self.place.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let (workspace, _) = self.place.open(unit, &self.if_version).await?;
        if let Some(path) = self.path.clone() {
            unit.decide(&workspace, WorkspaceCommand::MoveFile { file_id: self.place.file_id, path })?;
        }
        Ok(())
    }
}
