//! `DELETE /projects/{project_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::ProjectId;

use crate::{
    application::{Error, projects::DeleteProject},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::gone,
    },
};

/// Delete a project. It is hidden for good; its history stays.
#[utoipa::path(delete, path = "/projects/{project_id}", tag = "projects", params(("project_id" = Uuid, Path)),
    responses((status = 204, description = "Deleted")))]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let command = DeleteProject { project_id: ProjectId(project_id), if_version };
    let done = state.app.delete_project(&caller.context, &command).await?;
    Ok(gone(done.position, done.visible, done.reply))
}
