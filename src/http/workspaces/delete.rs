//! `DELETE /projects/{project_id}/workspaces/{workspace_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{ProjectId, WorkspaceId};

use crate::{
    application::{Error, workspaces::DeleteWorkspace},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::gone,
    },
};

/// Close a workspace, with all files in it.
#[utoipa::path(delete, path = "/projects/{project_id}/workspaces/{workspace_id}", tag = "workspaces",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path)),
    responses((status = 204, description = "Closed")))]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, workspace_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let (project_id, workspace_id) = (ProjectId(project_id), WorkspaceId(workspace_id));
    let command = DeleteWorkspace { project_id, workspace_id, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    Ok(gone(done.position, done.visible, done.reply))
}
