//! `POST /projects/{project_id}/tasks/{task_id}/comments`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{CommentId, ProjectId, TaskId},
    text::Prose,
};

use super::model::Comment;
use crate::{
    application::{
        Answer, Error,
        comments::{CommentPlace, PostComment},
        in_field,
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, Path},
        reply::rendered,
    },
};

/// What to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentRequest {
    /// What to say.
    #[schema(example = "Done, I think.", min_length = 1, max_length = 20_000)]
    body: String,
}

impl CommentRequest {
    pub(super) fn body(&self) -> Result<Prose, Error> {
        Prose::parse_filled(&self.body).map_err(in_field("/body"))
    }
}

/// Comment on a task.
#[utoipa::path(post, path = "/projects/{project_id}/tasks/{task_id}/comments", tag = "comments",
    params(("project_id" = Uuid, Path), ("task_id" = Uuid, Path)), request_body = CommentRequest,
    responses((status = 201, description = "Said", body = Comment)))]
pub async fn post(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, task_id)): Path<(Uuid, Uuid)>,
    key: ClientKey,
    Body { value, bytes }: Body<CommentRequest>,
) -> Result<Answer, Error> {
    let id = Uuid::now_v7();
    let place = CommentPlace { project_id: ProjectId(project_id), task_id: TaskId(task_id), comment_id: CommentId(id) };
    let command = PostComment { place, body: value.body()? };
    let author_id = caller.identity.account_id.into();
    let key = key.bind(&state, author_id, &bytes);
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |posted| {
            let location = format!("/api/v1/projects/{project_id}/tasks/{task_id}/comments/{id}");
            let comment = Comment {
                id,
                project_id,
                task_id,
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
}
