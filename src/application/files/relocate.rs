//! Put a file elsewhere in its workspace.

use uuid::Uuid;
use workroom_domain::workspace::{FilePath, WorkspaceCommand};

use super::{ChangedFile, FilePlace};
use crate::application::{Command, Error, IfVersion, Unit};

/// Put a file elsewhere in its workspace.
#[derive(Clone, Debug)]
pub struct MoveFile {
    /// The file to move, with the workspace that it stays in.
    pub place: FilePlace,
    /// Where to; nowhere else when not given.
    pub path: Option<FilePath>,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for MoveFile {
    type Reply = ChangedFile;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<ChangedFile, Error> {
        let (workspace, file) = self.place.open(unit, &self.if_version).await?;
        let Some(path) = self.path.clone() else { return ChangedFile::of(self.place, &workspace, &file, false) };
        let moved = unit.decide(&workspace, WorkspaceCommand::MoveFile { file_id: self.place.file_id, path })?;
        ChangedFile::of(self.place, &moved, &file, moved.sequence != workspace.sequence)
    }
}
