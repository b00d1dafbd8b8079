//! `DELETE /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;

use crate::{
    application::{Error, files::DeleteFile},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::done,
    },
};

/// Remove a file.
#[utoipa::path(delete, path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}", tag = "files",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path), ("file_id" = Uuid, Path)),
    responses((status = 204, description = "Removed")))]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(path): Path<(Uuid, Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let command = DeleteFile { place: super::place(path), if_version };
    let carried_out = state.app.run(&caller.context, &command).await?;
    Ok(done(carried_out.position, carried_out.visible))
}
