//! `GET /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;

use super::model::File;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One file, without its content.
#[utoipa::path(get, path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}", tag = "files",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path), ("file_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The file", body = File),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(path): Path<(Uuid, Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let file = File::from(super::find_for(&state, &caller, path).await?);
    found_unless(&known, file.version, Sight::Plain, &file)
}
