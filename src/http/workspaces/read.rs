//! `GET /projects/{project_id}/workspaces/{workspace_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, WorkspaceId},
};
use workroom_projections::workspaces;

use super::model::Workspace;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One workspace.
#[utoipa::path(get, path = "/projects/{project_id}/workspaces/{workspace_id}", tag = "workspaces",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The workspace", body = Workspace),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, workspace_id)): Path<(Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let (account_id, look) = (
        caller.identity.account_id,
        workspaces::find(state.app.pool(), ProjectId(project_id), WorkspaceId(workspace_id)),
    );
    let (_, row) = state.app.project_with(account_id, ProjectId(project_id), Action::ViewFiles, look).await?;
    let workspace = Workspace::from(row.ok_or(Error::not_found("workspace"))?);
    found_unless(&known, workspace.version, Sight::Plain, &workspace)
}
