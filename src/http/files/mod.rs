//! `/projects/{project_id}/workspaces/{workspace_id}/files`

pub mod content;
pub mod create;
pub mod delete;
pub mod list;
mod model;
pub mod read;
pub mod update;

pub use model::File;

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    file::Content,
    ids::{FileId, ProjectId, WorkspaceId},
};
use workroom_projections::workspaces::{self, FileRow};

use super::{State, extract::Caller};
use crate::application::{Error, files::FilePlace};

/// Most bytes of a request that creates a file: its content may be written with an escape of six bytes for each.
pub const CREATE_LIMIT: usize = 6 * Content::LIMIT + 64 * 1024;
/// Most bytes of a request that writes a file.
pub const WRITE_LIMIT: usize = Content::LIMIT;

fn place((project_id, workspace_id, file_id): (Uuid, Uuid, Uuid)) -> FilePlace {
    FilePlace { project_id: ProjectId(project_id), workspace_id: WorkspaceId(workspace_id), file_id: FileId(file_id) }
}

/// A file as it is seen now, of whoever may see it.
async fn find(state: &State, (project_id, workspace_id, file_id): (Uuid, Uuid, Uuid)) -> Result<FileRow, Error> {
    let row = workspaces::find_file(state.app.pool(), project_id, workspace_id, file_id).await?;
    row.ok_or(Error::NotFound("file"))
}

/// A file, for a caller who wants to look at it.
async fn find_for(state: &State, caller: &Caller, path: (Uuid, Uuid, Uuid)) -> Result<FileRow, Error> {
    let (account_id, look) =
        (caller.identity.account_id, workspaces::find_file(state.app.pool(), path.0, path.1, path.2));
    let (_, row) = state.app.project_with(account_id, ProjectId(path.0), Action::ViewFiles, look).await?;
    row.ok_or(Error::NotFound("file"))
}
