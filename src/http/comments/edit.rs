//! `PATCH /projects/{project_id}/tasks/{task_id}/comments/{comment_id}`

use axum::extract::State as Extract;
use workroom_domain::{Decide, comment};
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
        extract::{Caller, CommentPath, IfMatch, Json},
        reply::Updated,
    },
};

const COMMENT: &str = comment::Comment::TYPE;

/// Say a comment of one's own otherwise.
#[utoipa::path(
    method(patch, put),
    path = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}",
    tag = "comments",
    operation_id = "updateComment"
)]
pub async fn edit(
    Extract(state): Extract<State>,
    caller: Caller,
    CommentPath { project_id, task_id, comment_id }: CommentPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<CommentRequest>,
) -> Result<Updated<Comment>, Error> {
    let place = CommentPlace { project_id, task_id, comment_id };
    let command = EditComment { place, body: request.body()?, if_version };
    let look = comments::find(state.app.pool(), task_id, comment_id);
    let before = Before::read(&caller, look, state.app.creation(COMMENT, comment_id.into())).await?;
    // Comments are edited by those who made them.
    let known = match &before.row {
        Some(row) => Some(author(row)),
        None => accounts::find(state.app.pool(), caller.identity.account_id.into()).await?.map(Into::into),
    };
    let done = state.app.run(&caller.context, &command).await?;
    let EditedComment { state: edited, version, changed: is_new } = done.reply;
    let log = beside::cause(&state, COMMENT, comment_id.into(), version);
    let updated_at = before.last_change(&caller, is_new, version, log).await?.at;
    let comment = Comment {
        id: comment_id.into(),
        project_id: project_id.into(),
        task_id: task_id.into(),
        body: edited.body.as_str().to_owned(),
        author_id: edited.author_id.into(),
        author: Some(beside::profile(&state, edited.author_id, known).await),
        created_at: before.creation.at,
        updated_at,
        version,
    };
    Ok(Updated::new(done.position, done.visible, version, &comment))
}
