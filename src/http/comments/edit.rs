//! `PATCH /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::{
    Decide, comment,
    ids::{CommentId, ProjectId, TaskId},
};
use workroom_projections::{accounts, comments};

use super::{
    model::{Comment, author},
    post::CommentRequest,
};
use crate::{
    application::{
        Error,
        comments::{CommentPlace, EditComment, EditedComment},
    },
    http::{
        State,
        beside::{self, Before},
        extract::{Caller, IfMatch, Json, Path},
        reply::changed,
    },
};

const COMMENT: &str = comment::Comment::TYPE;

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
    let look = comments::find(state.app.pool(), TaskId(task_id), CommentId(comment_id));
    let before = Before::read(&caller, look, state.app.creation(COMMENT, comment_id)).await?;
    // Comments are edited by those who made them.
    let known = match &before.row {
        Some(row) => Some(author(row)),
        None => accounts::find(state.app.pool(), caller.identity.account_id.into()).await?.map(Into::into),
    };
    let done = state.app.run(&caller.context, &command).await?;
    let EditedComment { state: edited, version, changed: is_new } = done.reply;
    let log = beside::cause(&state, COMMENT, comment_id, version);
    let updated_at = before.last_change(&caller, is_new, version, log).await?.at;
    let comment = Comment {
        id: comment_id,
        project_id,
        task_id,
        body: edited.body.as_str().to_owned(),
        author_id: edited.author_id.into(),
        author: Some(beside::profile(&state, edited.author_id, known).await),
        created_at: before.creation.at,
        updated_at,
        version,
    };
    Ok(changed(done.position, done.visible, version, &comment))
}
