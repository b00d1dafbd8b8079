//! `DELETE /projects/{project_id}/tasks/{task_id}`, and many at once.

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::ids::TaskId;

use crate::application::codes::OUT_OF_RANGE;
use crate::{
    application::{
        Error,
        tasks::{DeleteTask, DeleteTasks},
    },
    http::{
        State,
        extract::{Caller, IfMatch, Json, ProjectPath, RequestBody, TaskPath},
        reply::{Deleted, Done},
    },
};

const MAX_TASKS: usize = 100;

/// Remove a task, and its comments with it.
#[utoipa::path(delete, path = "/projects/{project_id}/tasks/{task_id}", tag = "tasks", operation_id = "deleteTask")]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    TaskPath { project_id, task_id }: TaskPath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let command = DeleteTask { project_id, task_id, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}

/// The tasks to remove, up to 100, all of one project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTasksRequest {
    /// Their ids, 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    ids: Vec<Uuid>,
}

impl RequestBody for DeleteTasksRequest {}

/// The tasks that were removed.
#[derive(Serialize, ToSchema)]
pub struct DeletedTasks {
    /// The ids of the tasks that were there and are removed.
    deleted: Vec<Uuid>,
}

/// Remove many tasks: all in one step, passing over those that are gone already.
#[utoipa::path(post, path = "/projects/{project_id}/tasks/delete", tag = "tasks", operation_id = "deleteTasks")]
pub async fn delete_many(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Json(DeleteTasksRequest { ids }): Json<DeleteTasksRequest>,
) -> Result<Done<DeletedTasks>, Error> {
    if ids.is_empty() || ids.len() > MAX_TASKS {
        return Err(Error::invalid("/ids", OUT_OF_RANGE, "must be from 1 to 100"));
    }
    let task_ids = ids.into_iter().map(TaskId).collect();
    let command = DeleteTasks { project_id, task_ids };
    let done = state.app.run(&caller.context, &command).await?;
    let deleted = done.reply.into_iter().map(Uuid::from).collect();
    Ok(Done::new(done.position, done.visible, &DeletedTasks { deleted }))
}
