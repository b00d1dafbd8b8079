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
        /// The path of the new file. There must be no file at it or below it, and no part before the last may be a file.
        path: FilePath,
    },
    /// Put a file elsewhere in it.
    MoveFile {
        /// The id of the file to move, which must lie in this workspace.
        file_id: FileId,
        /// The new path of the file. If it is the old one, nothing happens.
        path: FilePath,
    },
    /// Remove a file from it.
    DeleteFile {
        /// The id of the file to remove, which must lie in this workspace.
        file_id: FileId,
    },
}

/// The fields to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspacePatch {
    /// The name that the workspace is to have.
    pub name: Option<Name>,
    /// The description that the workspace is to have. An empty text clears it.
    pub description: Option<Prose>,
}
