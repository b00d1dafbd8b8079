//! `/projects/{project_id}/workspaces/{workspace_id}/files`

pub mod content;
pub mod create;
pub mod delete;
pub mod list;
mod model;
pub mod read;
pub mod update;

pub use model::File;

use futures::TryFutureExt;
use workroom_domain::{
    Decide,
    access::Action,
    file::{self, Content},
    workspace::Workspace,
};
use workroom_projections::{
    history::{self, Cause, Which},
    workspaces::{self, FileRow},
};

use super::{
    State,
    beside::Before,
    extract::{Caller, FilePath},
};
use crate::application::{
    Error,
    files::{ChangedFile, FilePlace},
};

/// Most bytes of a request that creates a file: its content may be written with an escape of six bytes for each.
pub const CREATE_LIMIT: usize = 6 * Content::LIMIT + 64 * 1024;
/// Most bytes of a request that writes a file.
pub const WRITE_LIMIT: usize = Content::LIMIT;

fn place(FilePath { project_id, workspace_id, file_id }: FilePath) -> FilePlace {
    FilePlace { project_id, workspace_id, file_id }
}

/// What is known of a file before a command changes it.
async fn before(state: &State, caller: &Caller, path: FilePath) -> Result<Before<FileRow>, Error> {
    let FilePath { project_id, workspace_id, file_id } = path;
    let look = workspaces::find_file(state.app.pool(), project_id, workspace_id, file_id);
    let created = placed(state, path, &["FileCreated"]).map_err(Error::from);
    Before::read(caller, look, created).await
}

/// The file as a command has left it.
async fn after(
    state: &State,
    caller: &Caller,
    path: FilePath,
    before: &Before<FileRow>,
    file: &ChangedFile,
) -> Result<File, Error> {
    let change = before.last_change(caller, file.changed, file.version, last_change(state, path)).await?;
    Ok(File {
        id: path.file_id.into(),
        workspace_id: path.workspace_id.into(),
        path: file.path.as_str().to_owned(),
        size: i32::try_from(file.content.size).unwrap_or(i32::MAX),
        sha256: hex::encode(file.content.sha256.0),
        created_by: before.creation.by,
        created_at: before.creation.at,
        updated_by: change.by,
        updated_at: change.at,
        version: file.version,
    })
}

/// Who put a file somewhere last, and when.
async fn placed(
    state: &State,
    FilePath { workspace_id, file_id, .. }: FilePath,
    event_types: &[&str],
) -> Result<Option<Cause>, sqlx::Error> {
    let naming = Some(("file_id", file_id.into()));
    let which = Which { aggregate_type: Workspace::TYPE, aggregate_id: workspace_id.into(), event_types, naming };
    history::last_cause(state.app.pool(), which).await
}

/// Who put a file somewhere, or wrote it, last, and when.
async fn last_change(state: &State, path: FilePath) -> Result<Option<Cause>, sqlx::Error> {
    let event_types = &["FileContentWritten"];
    let which =
        Which { aggregate_type: file::File::TYPE, aggregate_id: path.file_id.into(), event_types, naming: None };
    let written = history::last_cause(state.app.pool(), which).await?;
    let placed = placed(state, path, &["FileCreated", "FileMoved"]).await?;
    Ok(written.into_iter().chain(placed).max_by_key(|cause| cause.at))
}

/// A file, for a caller who wants to look at it.
async fn find_for(state: &State, caller: &Caller, path: FilePath) -> Result<FileRow, Error> {
    let FilePath { project_id, workspace_id, file_id } = path;
    let look = workspaces::find_file(state.app.pool(), project_id, workspace_id, file_id);
    let (_, row) = state.app.project_with(caller.identity.account_id, project_id, Action::ViewFiles, look).await?;
    row.ok_or(Error::not_found("file"))
}
