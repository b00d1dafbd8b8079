//! `DELETE /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{CommentId, ProjectId, TaskId};

use crate::{
    application::{
        Error,
        comments::{CommentPlace, DeleteComment},
    },
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::gone,
    },
};

/// Delete a comment: one's own, or, as an owner, any.
#[utoipa::path(delete, path = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", tag = "comments",
    params(("project_id" = Uuid, Path), ("task_id" = Uuid, Path), ("comment_id" = Uuid, Path)),
    responses((status = 204, description = "Deleted")))]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, task_id, comment_id)): Path<(Uuid, Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let place =
        CommentPlace { project_id: ProjectId(project_id), task_id: TaskId(task_id), comment_id: CommentId(comment_id) };
    let done = state.app.run(&caller.context, &DeleteComment { place, if_version }).await?;
    Ok(gone(done.position, done.visible, done.reply))
}
