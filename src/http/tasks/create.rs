//! `POST /projects/{project_id}/tasks`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::TaskId,
    task::TaskFields,
    text::{Name, Prose},
    timestamp::Timestamp,
};
use workroom_projections::history::Cause;

use super::model::{Facts, Task, TaskStatus, TaskType};
use crate::{
    application::{Error, all, at_pointer, tasks::CreateTask},
    http::{
        State,
        extract::{Body, Caller, ClientKey, ProjectPath, RequestBody, TaskPath},
        projects::Priority,
        reply::{Created, rendered},
    },
};

/// A task to write down.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTaskRequest {
    /// What is to be done, in a line.
    #[schema(example = "Launch", min_length = 1, max_length = 200)]
    title: String,
    /// What is to be done, at length.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// Who is to do it: a member of the project.
    assignee_id: Option<Uuid>,
    /// How far it is.
    status: Option<TaskStatus>,
    /// What kind of task it is; a plain task when not given.
    #[serde(rename = "type")]
    task_type: Option<TaskType>,
    /// How urgent the task is; medium when not given.
    priority: Option<Priority>,
    /// When it should be done; the assignee is reminded then.
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-12-24T18:00:00Z")]
    due_at: Option<Timestamp>,
}

impl RequestBody for CreateTaskRequest {
    const CLEARABLE: &'static [&'static str] = &["assignee_id", "due_at"];
}

impl CreateTaskRequest {
    fn fields(&self) -> Result<TaskFields, Error> {
        let (title, description) = all((
            Name::parse(&self.title).map_err(at_pointer("/title")),
            Prose::parse(self.description.as_deref().unwrap_or_default()).map_err(at_pointer("/description")),
        ))?;
        Ok(TaskFields {
            title,
            description,
            assignee_id: self.assignee_id.map(Into::into),
            status: self.status.map(Into::into).unwrap_or_default(),
            task_type: self.task_type.map(Into::into).unwrap_or_default(),
            priority: self.priority.map(Into::into).unwrap_or_default(),
            due_at: self.due_at,
        })
    }
}

/// Write a task down.
#[utoipa::path(post, path = "/projects/{project_id}/tasks", tag = "tasks", operation_id = "createTask")]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    key: ClientKey,
    Body { value, bytes }: Body<CreateTaskRequest>,
) -> Result<Created<Task>, Error> {
    let (project_id, task_id) = (project_id, TaskId(Uuid::now_v7()));
    let command = CreateTask { task_id, project_id, fields: value.fields()? };
    let created_by = caller.identity.account_id.into();
    let creation = Cause { by: created_by, at: caller.context.now };
    let key = key.bind(&state, created_by, &bytes);
    state
        .app
        .create(&caller.context, &command, key, |created| {
            let location = TaskPath { project_id, task_id }.location();
            let facts = Facts {
                id: task_id,
                project_id,
                assignee: created.assignee.clone().map(Into::into),
                comment_count: 0,
                creation,
                updated_at: creation.at,
                version: created.version,
            };
            let task = Task::of(facts, &command.fields);
            rendered(StatusCode::CREATED, Some(location), Some(created.version), &task)
        })
        .await
        .map(Created::from)
}
