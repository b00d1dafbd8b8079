//! `PATCH` and `PUT /projects/{project_id}/tasks/{task_id}`: both change only the given fields.

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    task::{self, TaskPatch},
    text::{Name, Prose},
    timestamp::Timestamp,
};
use workroom_projections::{accounts, tasks};

use super::model::{Facts, Task, TaskStatus, TaskType, assignee};
use crate::{
    application::{
        Error, all, at_pointer,
        tasks::{UpdateTask, UpdatedTask},
    },
    http::{
        State,
        beside::{self, Before},
        extract::{Caller, IfMatch, Json, RequestBody, TaskPath, double_option},
        projects::Priority,
        reply::Updated,
    },
};

const TASK: &str = task::Task::TYPE;

/// The fields to change. Assignee and due time may be set to null, which clears them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTaskRequest {
    /// The new title.
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    /// The new description.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// The account that is to do it from now on; null gives the task to nobody.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<Uuid>)]
    assignee_id: Option<Option<Uuid>>,
    /// The new status.
    status: Option<TaskStatus>,
    /// The new type.
    #[serde(rename = "type")]
    task_type: Option<TaskType>,
    /// The new priority.
    priority: Option<Priority>,
    /// The new time that it should be done by; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Option<Timestamp>>,
}

impl RequestBody for UpdateTaskRequest {
    const CLEARABLE: &'static [&'static str] = &["assignee_id", "due_at"];
}

impl UpdateTaskRequest {
    fn patch(self) -> Result<TaskPatch, Error> {
        let (title, description) = all((
            self.title.as_deref().map(Name::parse).transpose().map_err(at_pointer("/title")),
            self.description.as_deref().map(Prose::parse).transpose().map_err(at_pointer("/description")),
        ))?;
        Ok(TaskPatch {
            title,
            description,
            assignee_id: self.assignee_id.map(|id| id.map(Into::into)),
            status: self.status.map(Into::into),
            task_type: self.task_type.map(Into::into),
            priority: self.priority.map(Into::into),
            due_at: self.due_at,
        })
    }
}

/// Change the given fields of a task.
#[utoipa::path(
    method(patch, put),
    path = "/projects/{project_id}/tasks/{task_id}",
    tag = "tasks",
    operation_id = "updateTask"
)]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    TaskPath { project_id, task_id }: TaskPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateTaskRequest>,
) -> Result<Updated<Task>, Error> {
    let patch = request.patch()?;
    let command = UpdateTask { project_id, task_id, patch, if_version };
    let look = tasks::find(state.app.pool(), project_id, task_id);
    let before = Before::read(&caller, look, state.app.creation(TASK, task_id.into())).await?;
    let known = match command.patch.assignee_id {
        Some(Some(assignee)) => accounts::find(state.app.pool(), assignee.into()).await?.map(Into::into),
        _ => before.row.as_ref().and_then(assignee),
    };
    let done = state.app.run(&caller.context, &command).await?;
    let UpdatedTask { fields, version, changed: is_new } = done.reply;
    let log = beside::cause(&state, TASK, task_id.into(), version);
    let updated_at = before.last_change(&caller, is_new, version, log).await?.at;
    let facts = Facts {
        id: command.task_id,
        project_id: command.project_id,
        assignee: match fields.assignee_id {
            Some(id) => Some(beside::profile(&state, id, known).await),
            None => None,
        },
        comment_count: before.row.as_ref().map_or(0, |row| row.comment_count),
        creation: before.creation,
        updated_at,
        version,
    };
    Ok(Updated::new(done.position, done.visible, version, &Task::of(facts, &fields)))
}
