//! `PATCH /projects/{project_id}/workspaces/{workspace_id}`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{
    Decide,
    text::{Name, Prose},
    workspace::{self, WorkspacePatch},
};
use workroom_projections::workspaces;

use super::model::Workspace;
use crate::{
    application::{
        Error, all, at_pointer,
        workspaces::{UpdateWorkspace, UpdatedWorkspace},
    },
    http::{
        State,
        beside::{self, Before},
        extract::{Caller, IfMatch, Json, RequestBody, WorkspacePath},
        reply::Updated,
    },
};

const WORKSPACE: &str = workspace::Workspace::TYPE;

/// The fields of a workspace to change; the others stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWorkspaceRequest {
    /// The new name: one line of 1 to 200 characters; white space around it is removed.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The new description, up to 20,000 characters; it may be empty.
    #[schema(max_length = 20_000)]
    description: Option<String>,
}

impl RequestBody for UpdateWorkspaceRequest {}

/// Change the given fields of a workspace.
#[utoipa::path(
    method(patch, put),
    path = "/projects/{project_id}/workspaces/{workspace_id}",
    tag = "workspaces",
    operation_id = "updateWorkspace"
)]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    WorkspacePath { project_id, workspace_id }: WorkspacePath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateWorkspaceRequest>,
) -> Result<Updated<Workspace>, Error> {
    let (name, description) = all((
        request.name.as_deref().map(Name::parse).transpose().map_err(at_pointer("/name")),
        request.description.as_deref().map(Prose::parse).transpose().map_err(at_pointer("/description")),
    ))?;
    let patch = WorkspacePatch { name, description };
    let (project, workspace) = (project_id, workspace_id);
    let command = UpdateWorkspace { project_id: project, workspace_id: workspace, patch, if_version };
    let look = workspaces::find(state.app.pool(), project_id, workspace_id);
    let before = Before::read(&caller, look, state.app.creation(WORKSPACE, workspace_id.into())).await?;
    let done = state.app.run(&caller.context, &command).await?;
    let UpdatedWorkspace { name, description, file_count, version, changed: is_new } = done.reply;
    let log = beside::cause(&state, WORKSPACE, workspace_id.into(), version);
    let updated_at = before.last_change(&caller, is_new, version, log).await?.at;
    let workspace = Workspace {
        id: workspace_id.into(),
        project_id: project_id.into(),
        name: name.as_str().to_owned(),
        description: description.as_str().to_owned(),
        file_count: i32::try_from(file_count).unwrap_or(i32::MAX),
        created_by: before.creation.by,
        created_at: before.creation.at,
        updated_at,
        version,
    };
    Ok(Updated::new(done.position, done.visible, version, &workspace))
}
