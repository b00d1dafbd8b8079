//! `POST /projects/{project_id}/workspaces`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::WorkspaceId,
    text::{Name, Prose},
};

use super::model::Workspace;
use crate::{
    application::{Error, all, at_pointer, workspaces::CreateWorkspace},
    http::{
        State,
        extract::{Body, Caller, ClientKey, ProjectPath, RequestBody, WorkspacePath},
        reply::{Created, rendered},
    },
};

/// A workspace to open in a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorkspaceRequest {
    /// The workspace's name.
    #[schema(example = "Backend", min_length = 1, max_length = 200)]
    name: String,
    /// What the workspace is for.
    #[schema(max_length = 20_000)]
    description: Option<String>,
}

impl RequestBody for CreateWorkspaceRequest {}

/// Open a workspace.
#[utoipa::path(post, path = "/projects/{project_id}/workspaces", tag = "workspaces", operation_id = "createWorkspace")]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    key: ClientKey,
    Body { value, bytes }: Body<CreateWorkspaceRequest>,
) -> Result<Created<Workspace>, Error> {
    let id = Uuid::now_v7();
    let (name, description) = all((
        Name::parse(&value.name).map_err(at_pointer("/name")),
        Prose::parse(value.description.as_deref().unwrap_or_default()).map_err(at_pointer("/description")),
    ))?;
    let command = CreateWorkspace { workspace_id: WorkspaceId(id), project_id, name, description };
    let (created_by, now) = (caller.identity.account_id.into(), caller.context.now);
    let key = key.bind(&state, created_by, &bytes);
    state
        .app
        .create(&caller.context, &command, key, |version| {
            let workspace = Workspace {
                id,
                project_id: project_id.into(),
                name: command.name.as_str().to_owned(),
                description: command.description.as_str().to_owned(),
                file_count: 0,
                created_by,
                created_at: now,
                updated_at: now,
                version: *version,
            };
            let location = WorkspacePath { project_id, workspace_id: command.workspace_id }.location();
            rendered(StatusCode::CREATED, Some(location), Some(*version), &workspace)
        })
        .await
        .map(Created::from)
}
