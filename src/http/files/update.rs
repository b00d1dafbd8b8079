//! `PATCH /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{create::file_path, model::File};
use crate::{
    application::{Error, files::MoveFile},
    http::{
        State,
        extract::{Caller, IfMatch, Json, Path},
        reply::changed,
    },
};

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFileRequest {
    /// Where it is to lie.
    #[schema(example = "src/app.py", min_length = 1, max_length = 1024)]
    path: Option<String>,
}

/// Rename a file, or put it into another folder.
#[utoipa::path(patch, path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}", tag = "files",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path), ("file_id" = Uuid, Path)),
    request_body = UpdateFileRequest, responses((status = 200, description = "The file afterwards", body = File)))]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(path): Path<(Uuid, Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateFileRequest>,
) -> Result<Response, Error> {
    let to = request.path.as_deref().map(file_path).transpose()?;
    let command = MoveFile { place: super::place(path), path: to, if_version };
    let before = super::before(&state, &caller, path).await?;
    let done = state.app.run(&caller.context, &command).await?;
    let file = super::after(&state, &caller, path, &before, &done.reply).await?;
    Ok(changed(done.position, done.visible, file.version, &file))
}
