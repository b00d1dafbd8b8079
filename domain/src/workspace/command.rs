//! What may be asked of a workspace.

use super::FilePath;
use crate::{
    ids::{FileId, ProjectId},
    text::{Name, Prose},
};

/// What may be asked of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceCommand {
    /// Open the room.
    Create {
        /// The project it belongs to.
        project_id: ProjectId,
        /// What it is called.
        name: Name,
        /// What it is for.
        description: Prose,
    },
    /// Change the given fields and leave the others.
    Update(WorkspacePatch),
    /// Close it for good, with all files in it; its history stays.
    Delete,
    /// Put a file into it.
    CreateFile {
        /// The new file's id.
        file_id: FileId,
        /// Where.
        path: FilePath,
    },
    /// Put a file elsewhere in it.
    MoveFile {
        /// The file.
        file_id: FileId,
        /// Where to.
        path: FilePath,
    },
    /// Remove a file from it.
    DeleteFile {
        /// The file.
        file_id: FileId,
    },
}

/// The fields to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspacePatch {
    /// New name.
    pub name: Option<Name>,
    /// New description.
    pub description: Option<Prose>,
}
