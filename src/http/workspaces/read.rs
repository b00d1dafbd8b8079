//! `GET /projects/{project_id}/workspaces/{workspace_id}`

use axum::extract::State as Extract;
use workroom_domain::access::Action;
use workroom_projections::workspaces;

use super::model::Workspace;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Query, WorkspacePath},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One workspace, with the number of its files.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/workspaces/{workspace_id}",
    tag = "workspaces",
    operation_id = "getWorkspace",
    responses((status = 403))
)]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    WorkspacePath { project_id, workspace_id }: WorkspacePath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Workspace>, Error> {
    at_position(&state, params.min_position).await?;
    let (account_id, look) = (caller.identity.account_id, workspaces::find(state.app.pool(), project_id, workspace_id));
    let (_, row) = state.app.project_with(account_id, project_id, Action::ViewFiles, look).await?;
    let workspace = Workspace::from(row.ok_or(Error::not_found("workspace"))?);
    OkOrNotModified::new(&known, workspace.version, Representation::ByVersion, &workspace)
}
