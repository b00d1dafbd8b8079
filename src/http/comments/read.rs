//! `GET /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{CommentId, ProjectId, TaskId},
};
use workroom_projections::comments;

use super::model::Comment;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One comment.
#[utoipa::path(get, path = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", tag = "comments",
    params(("project_id" = Uuid, Path), ("task_id" = Uuid, Path), ("comment_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The comment", body = Comment),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, task_id, comment_id)): Path<(Uuid, Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let look = comments::find(state.app.pool(), TaskId(task_id), CommentId(comment_id));
    let (project, row) = state.app.project_with(account_id, ProjectId(project_id), Action::ViewTasks, look).await?;
    let row = row.filter(|row| row.project_id == project_id).ok_or(Error::not_found("comment"))?;
    let comment = Comment::from(row);
    let comment = if project.relation.role().is_some() { comment } else { comment.for_visitors() };
    let sight = Sight::more_if(comment.author_id != Uuid::from(account_id));
    found_unless(&known, comment.version, sight, &comment)
}
