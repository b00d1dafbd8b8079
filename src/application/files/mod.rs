//! Commands on the files of workspaces.

mod content;
mod create;
mod delete;
mod relocate;
mod write;

use std::sync::Arc;

use workroom_domain::{
    access::Action,
    file::{Content, File},
    ids::{FileId, ProjectId, WorkspaceId},
    workspace::{FilePath, Workspace},
};

pub use content::{FileContent, StoreContent};
pub use create::{CreateFile, CreatedFile};
pub use delete::DeleteFile;
pub use relocate::MoveFile;
pub use write::WriteFile;

use super::{Error, IfVersion, Unit};
use crate::event_store::Versioned;

super::error::from_refusals!(workroom_domain::file::FileRefusal);

/// A file, with the workspace and the project that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct FilePlace {
    /// The project that the workspace belongs to; the caller must hold the right to edit files in it.
    pub project_id: ProjectId,
    /// The workspace, of that project.
    pub workspace_id: WorkspaceId,
    /// The file, of that workspace.
    pub file_id: FileId,
}

/// A file as it stands after a change.
#[derive(Clone, Debug)]
pub struct ChangedFile {
    /// Where it lies.
    pub path: FilePath,
    /// What is in it.
    pub content: Content,
    /// How many events it has had.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
}

impl ChangedFile {
    fn of(
        place: FilePlace,
        workspace: &Versioned<Workspace>,
        file: &Versioned<File>,
        changed: bool,
    ) -> Result<Self, Error> {
        let (path, entry) = workspace.state.of(place.project_id)?.file(place.file_id)?;
        let version = entry.placed + file.sequence;
        Ok(Self { path: path.clone(), content: file.state.content(), version, changed })
    }
}

impl FilePlace {
    /// Reads the file for somebody who wants to change the version that they name. That version counts the file's own
    /// events: where it was put, and what was written.
    async fn open(
        self,
        unit: &mut Unit<'_>,
        if_version: &IfVersion,
    ) -> Result<(Arc<Versioned<Workspace>>, Arc<Versioned<File>>), Error> {
        unit.authorize(self.project_id, Action::EditFiles).await?;
        let workspace = unit.read::<Workspace>(self.workspace_id).await?;
        let (_, entry) = workspace.state.of(self.project_id)?.file(self.file_id)?;
        let file = unit.read::<File>(self.file_id).await?;
        if_version.check(entry.placed + file.sequence)?;
        Ok((workspace, file))
    }
}
