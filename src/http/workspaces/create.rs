//! `POST /projects/{project_id}/workspaces`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{ProjectId, WorkspaceId},
    text::{Name, Prose},
};

use super::model::Workspace;
use crate::{
    application::{Answer, Error, in_field, workspaces::CreateWorkspace},
    http::{
        State,
        extract::{Body, Caller, ClientKey, Path},
        reply::rendered,
    },
};

/// A workspace to open.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorkspaceRequest {
    /// What it is called.
    #[schema(example = "Backend", min_length = 1, max_length = 200)]
    name: String,
    /// What it is for.
    #[schema(max_length = 20_000)]
    description: Option<String>,
}

/// Open a workspace.
#[utoipa::path(post, path = "/projects/{project_id}/workspaces", tag = "workspaces",
    params(("project_id" = Uuid, Path)), request_body = CreateWorkspaceRequest,
    responses((status = 201, description = "Opened", body = Workspace)))]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    key: ClientKey,
    Body { value, bytes }: Body<CreateWorkspaceRequest>,
) -> Result<Answer, Error> {
    let id = Uuid::now_v7();
    let command = CreateWorkspace {
        workspace_id: WorkspaceId(id),
        project_id: ProjectId(project_id),
        name: Name::parse(&value.name).map_err(in_field("/name"))?,
        description: Prose::parse(value.description.as_deref().unwrap_or_default())
            .map_err(in_field("/description"))?,
    };
    let (created_by, now) = (caller.identity.account_id.into(), caller.context.now);
    let key = key.bind(&state, created_by, &bytes);
    state
        .app
        .create(&caller.context, &command, key, |version| {
            let workspace = Workspace {
                id,
                project_id,
                name: command.name.as_str().to_owned(),
                description: command.description.as_str().to_owned(),
                file_count: 0,
                created_by,
                created_at: now,
                updated_at: now,
                version: *version,
            };
            let location = format!("/api/v1/projects/{project_id}/workspaces/{id}");
            rendered(StatusCode::CREATED, Some(location), Some(*version), &workspace)
        })
        .await
}
