//! `DELETE /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::extract::State as Extract;

use crate::{
    application::{
        Error,
        comments::{CommentPlace, DeleteComment},
    },
    http::{
        State,
        extract::{Caller, CommentPath, IfMatch},
        reply::Deleted,
    },
};

/// Delete a comment: one's own, or, as an owner, any.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}",
    tag = "comments",
    operation_id = "deleteComment"
)]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    CommentPath { project_id, task_id, comment_id }: CommentPath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let place = CommentPlace { project_id, task_id, comment_id };
    let done = state.app.run(&caller.context, &DeleteComment { place, if_version }).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
