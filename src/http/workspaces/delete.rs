//! `DELETE /projects/{project_id}/workspaces/{workspace_id}`

use axum::extract::State as Extract;

use crate::{
    application::{Error, workspaces::DeleteWorkspace},
    http::{
        State,
        extract::{Caller, IfMatch, WorkspacePath},
        reply::Deleted,
    },
};

/// Close a workspace, with all files in it.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/workspaces/{workspace_id}",
    tag = "workspaces",
    operation_id = "deleteWorkspace"
)]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    WorkspacePath { project_id, workspace_id }: WorkspacePath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let (project_id, workspace_id) = (project_id, workspace_id);
    let command = DeleteWorkspace { project_id, workspace_id, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
