//! `PATCH /projects/{project_id}/workspaces/{workspace_id}`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{ProjectId, WorkspaceId},
    text::{Name, Prose},
    workspace::WorkspacePatch,
};
use workroom_projections::workspaces;

use super::model::Workspace;
use crate::{
    application::{Error, in_field, workspaces::UpdateWorkspace},
    http::{
        State,
        extract::{Caller, IfMatch, Json, Path},
        reply::changed,
    },
};

/// The fields to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWorkspaceRequest {
    /// New name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// New description.
    #[schema(max_length = 20_000)]
    description: Option<String>,
}

/// Change the given fields of a workspace.
#[utoipa::path(patch, path = "/projects/{project_id}/workspaces/{workspace_id}", tag = "workspaces",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path)), request_body = UpdateWorkspaceRequest,
    responses((status = 200, description = "The workspace afterwards", body = Workspace)))]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, workspace_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateWorkspaceRequest>,
) -> Result<Response, Error> {
    let patch = WorkspacePatch {
        name: request.name.as_deref().map(Name::parse).transpose().map_err(in_field("/name"))?,
        description: request.description.as_deref().map(Prose::parse).transpose().map_err(in_field("/description"))?,
    };
    let (project, workspace) = (ProjectId(project_id), WorkspaceId(workspace_id));
    let command = UpdateWorkspace { project_id: project, workspace_id: workspace, patch, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    let row = workspaces::find(state.app.pool(), project_id, workspace_id).await?;
    let workspace = Workspace::from(row.ok_or(Error::NotFound("workspace"))?);
    Ok(changed(done.position, done.visible, workspace.version, &workspace))
}
