//! `PATCH /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{CommentId, ProjectId, TaskId};
use workroom_projections::comments;

use super::{model::Comment, post::CommentRequest};
use crate::{
    application::{
        Error,
        comments::{CommentPlace, EditComment},
    },
    http::{
        State,
        extract::{Caller, IfMatch, Json, Path},
        reply::changed,
    },
};

/// Say a comment of one's own otherwise.
#[utoipa::path(patch, path = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", tag = "comments",
    params(("project_id" = Uuid, Path), ("task_id" = Uuid, Path), ("comment_id" = Uuid, Path)),
    request_body = CommentRequest, responses((status = 200, description = "The comment afterwards", body = Comment)))]
pub async fn edit(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, task_id, comment_id)): Path<(Uuid, Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<CommentRequest>,
) -> Result<Response, Error> {
    let place =
        CommentPlace { project_id: ProjectId(project_id), task_id: TaskId(task_id), comment_id: CommentId(comment_id) };
    let command = EditComment { place, body: request.body()?, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    let row = comments::find(state.app.pool(), task_id, comment_id).await?.ok_or(Error::NotFound("comment"))?;
    Ok(changed(done.position, done.visible, row.version, &Comment::from(row)))
}
