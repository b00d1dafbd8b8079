//! `DELETE /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}`

use axum::extract::State as Extract;

use crate::{
    application::{Error, files::DeleteFile},
    http::{
        State,
        extract::{Caller, FilePath, IfMatch},
        reply::NoContent,
    },
};

/// Remove a file from its workspace. Its history stays.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}",
    tag = "files",
    operation_id = "deleteFile"
)]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    path: FilePath,
    IfMatch(if_version): IfMatch,
) -> Result<NoContent, Error> {
    let command = DeleteFile { place: super::place(path), if_version };
    let done = state.app.run(&caller.context, &command).await?;
    Ok(NoContent::new(done.position, done.visible))
}
