//! `POST /projects/{project_id}/tasks/{task_id}/comments`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{ids::CommentId, text::Prose};

use super::model::Comment;
use crate::{
    application::{
        Error, at_pointer,
        comments::{CommentPlace, PostComment},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, CommentPath, RequestBody, TaskPath},
        reply::{Created, rendered},
    },
};

/// The text of a comment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentRequest {
    /// The text of a comment.
    #[schema(example = "Done, I think.", min_length = 1, max_length = 20_000)]
    body: String,
}

impl RequestBody for CommentRequest {}

impl CommentRequest {
    pub(super) fn body(&self) -> Result<Prose, Error> {
        Prose::parse_filled(&self.body).map_err(at_pointer("/body"))
    }
}

/// Write a comment on a task.
#[utoipa::path(
    post,
    path = "/projects/{project_id}/tasks/{task_id}/comments",
    tag = "comments",
    operation_id = "createComment"
)]
pub async fn post(
    Extract(state): Extract<State>,
    caller: Caller,
    TaskPath { project_id, task_id }: TaskPath,
    key: ClientKey,
    Body { value, bytes }: Body<CommentRequest>,
) -> Result<Created<Comment>, Error> {
    let id = Uuid::now_v7();
    let place = CommentPlace { project_id, task_id, comment_id: CommentId(id) };
    let command = PostComment { place, body: value.body()? };
    let author_id = caller.identity.account_id.into();
    let key = key.bind(&state, author_id, &bytes);
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |posted| {
            let location = CommentPath { project_id, task_id, comment_id: place.comment_id }.location();
            let comment = Comment {
                id,
                project_id: project_id.into(),
                task_id: task_id.into(),
                body: command.body.as_str().to_owned(),
                author_id,
                author: posted.author.clone().map(Into::into),
                created_at: now,
                updated_at: now,
                version: posted.version,
            };
            rendered(StatusCode::CREATED, Some(location), Some(posted.version), &comment)
        })
        .await
        .map(Created::from)
}
