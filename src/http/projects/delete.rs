//! `DELETE /projects/{project_id}`

use axum::extract::State as Extract;

use crate::{
    application::{Error, projects::DeleteProject},
    http::{
        State,
        extract::{Caller, IfMatch, ProjectPath},
        reply::Deleted,
    },
};

/// Delete a project. It is hidden for good; its history stays.
#[utoipa::path(delete, path = "/projects/{project_id}", tag = "projects", operation_id = "deleteProject")]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let command = DeleteProject { project_id, if_version };
    let done = state.app.delete_project(&caller.context, &command).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
