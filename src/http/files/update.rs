//! `PATCH /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{create::file_path, model::File};
use crate::{
    application::{Error, files::MoveFile},
    http::{
        State,
        extract::{Caller, FilePath, IfMatch, Json, RequestBody},
        reply::Updated,
    },
};

/// Where a file is to be moved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFileRequest {
    /// Its new path in the workspace.
    #[schema(example = "src/app.py", min_length = 1, max_length = 1024)]
    path: Option<String>,
}

impl RequestBody for UpdateFileRequest {}

/// Rename a file, or put it into another folder.
#[utoipa::path(
    method(patch, put),
    path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}",
    tag = "files",
    operation_id = "updateFile"
)]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    path: FilePath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateFileRequest>,
) -> Result<Updated<File>, Error> {
    let to = request.path.as_deref().map(file_path).transpose()?;
    let command = MoveFile { place: super::place(path), path: to, if_version };
    let before = super::before(&state, &caller, path).await?;
    let done = state.app.run(&caller.context, &command).await?;
    let file = super::after(&state, &caller, path, &before, &done.reply).await?;
    Ok(Updated::new(done.position, done.visible, file.version, &file))
}
