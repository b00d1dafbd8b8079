//! `GET /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}`

use axum::extract::State as Extract;

use super::model::File;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, FilePath, IfNoneMatch, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One file, without its content.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}",
    tag = "files",
    operation_id = "getFile", responses((status = 403))
)]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    path: FilePath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<File>, Error> {
    at_position(&state, params.min_position).await?;
    let file = File::from(super::find_for(&state, &caller, path).await?);
    OkOrNotModified::new(&known, file.version, Representation::ByVersion, &file)
}
