//! `GET /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::extract::State as Extract;
use uuid::Uuid;
use workroom_domain::access::Action;
use workroom_projections::comments;

use super::model::Comment;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, CommentPath, IfNoneMatch, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One comment on a task.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}",
    tag = "comments",
    operation_id = "getComment"
)]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    CommentPath { project_id, task_id, comment_id }: CommentPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Comment>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let look = comments::find(state.app.pool(), task_id, comment_id);
    let (project, row) = state.app.project_with(account_id, project_id, Action::ViewTasks, look).await?;
    let row = row.filter(|row| row.project_id == Uuid::from(project_id)).ok_or(Error::not_found("comment"))?;
    let comment = Comment::from(row);
    let comment = if project.relation.role().is_some() { comment } else { comment.for_visitors() };
    let representation = Representation::by_content_if(comment.author_id != Uuid::from(account_id));
    OkOrNotModified::new(&known, comment.version, representation, &comment)
}
