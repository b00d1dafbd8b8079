//! What can have happened to a workspace.

use serde::{Deserialize, Serialize};

use super::FilePath;
use crate::{
    change::{Change, changes},
    event::domain_event,
    ids::{FileId, ProjectId},
    redaction::PayloadRedacted,
    text::{Name, Prose},
};

/// What can have happened to a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum WorkspaceEvent {
    /// The room was opened.
    WorkspaceCreated {
        /// The project it belongs to.
        project_id: ProjectId,
        /// What it is called.
        name: Name,
        /// What it is for.
        description: Prose,
    },
    /// At least one field changed.
    WorkspaceUpdated {
        /// Each changed field, from and to.
        changes: WorkspaceChanges,
    },
    /// It was closed, with all files in it; nothing follows.
    WorkspaceDeleted {},
    /// A file was put into it. It is empty.
    FileCreated {
        /// The id of the new file. It stays the same when the file is moved.
        file_id: FileId,
        /// The path of the new file, relative to the workspace, with `/` between its parts.
        path: FilePath,
    },
    /// A file was renamed, or put into another folder.
    FileMoved {
        /// The id of the moved file, the same as before the move.
        file_id: FileId,
        /// Where it was, and where it is.
        #[cfg_attr(feature = "openapi", schema(value_type = crate::change::FilePathChange))]
        path: Change<FilePath>,
    },
    /// A file was removed.
    FileDeleted {
        /// The id of the removed file.
        file_id: FileId,
        /// Where it was.
        path: FilePath,
    },
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(WorkspaceEvent {
    WorkspaceCreated => "1",
    WorkspaceUpdated => "1",
    WorkspaceDeleted => "1",
    FileCreated => "1",
    FileMoved => "1",
    FileDeleted => "1",
    PayloadRedacted => "1",
});

changes! {
    /// The changed fields of a workspace.
    pub struct WorkspaceChanges {
        /// Of the name.
        pub name: Name,
        /// Of the description.
        pub description: Prose,
    }
}
