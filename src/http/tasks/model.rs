//! Tasks as clients see them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{ProjectId, TaskId},
    task::{self, TaskFields},
    timestamp::Timestamp,
};
use workroom_projections::{history::Cause, tasks::TaskRow};

use crate::http::{comments::Comment, profile::Profile, projects::Priority};

/// How far a task is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TaskStatus {
    Todo,
    InProgress,
    Done,
}

impl From<TaskStatus> for task::TaskStatus {
    fn from(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Todo => Self::Todo,
            TaskStatus::InProgress => Self::InProgress,
            TaskStatus::Done => Self::Done,
        }
    }
}

/// What kind of task it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TaskType {
    Task,
    Bug,
    Feature,
    Improvement,
    Other,
}

impl From<TaskType> for task::TaskType {
    fn from(task_type: TaskType) -> Self {
        match task_type {
            TaskType::Task => Self::Task,
            TaskType::Bug => Self::Bug,
            TaskType::Feature => Self::Feature,
            TaskType::Improvement => Self::Improvement,
            TaskType::Other => Self::Other,
        }
    }
}

/// Something to be done in a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Task {
    /// The task's id, a UUIDv7.
    pub id: Uuid,
    /// The project that the task belongs to.
    pub project_id: Uuid,
    /// What is to be done, in one line.
    pub title: String,
    /// What is to be done, at length.
    pub description: String,
    /// How far the task is.
    #[schema(value_type = TaskStatus)]
    pub status: String,
    /// What kind of task it is.
    #[serde(rename = "type")]
    #[schema(value_type = TaskType)]
    pub task_type: String,
    /// How urgent the task is.
    #[schema(value_type = Priority)]
    pub priority: String,
    /// The account that is to do it; null where nobody is.
    pub assignee_id: Option<Uuid>,
    /// The profile of that account; null for a visitor of a public project.
    pub assignee: Option<Profile>,
    /// When it should be done by; null where there is no such time.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// How many comments it has.
    pub comment_count: i32,
    /// Its first comments, in a list with `include=comments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Comment>, required = false)]
    pub comments: Option<Vec<Comment>>,
    /// The account that created the task.
    pub created_by: Uuid,
    /// When the task was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When one of its fields last changed. Comments do not count.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`.
    pub version: i64,
}

/// What a task's own state does not say.
pub(super) struct Facts {
    pub(super) id: TaskId,
    pub(super) project_id: ProjectId,
    pub(super) assignee: Option<Profile>,
    pub(super) comment_count: i32,
    pub(super) creation: Cause,
    pub(super) updated_at: OffsetDateTime,
    pub(super) version: i64,
}

impl Task {
    /// From the state that a command left behind.
    pub(super) fn of(facts: Facts, fields: &TaskFields) -> Self {
        Self {
            id: facts.id.into(),
            project_id: facts.project_id.into(),
            title: fields.title.as_str().to_owned(),
            description: fields.description.as_str().to_owned(),
            status: fields.status.as_str().to_owned(),
            task_type: fields.task_type.as_str().to_owned(),
            priority: fields.priority.as_str().to_owned(),
            assignee_id: fields.assignee_id.map(Into::into),
            assignee: facts.assignee,
            due_at: fields.due_at.map(Timestamp::get),
            comment_count: facts.comment_count,
            comments: None,
            created_by: facts.creation.by,
            created_at: facts.creation.at,
            updated_at: facts.updated_at,
            version: facts.version,
        }
    }

    /// As somebody sees it who may not see the members.
    pub(super) fn for_visitors(mut self) -> Self {
        self.assignee = None;
        self
    }
}

/// Who is to do a task, as the account shows itself.
pub(super) fn assignee(row: &TaskRow) -> Option<Profile> {
    row.assignee_id.map(|user_id| Profile {
        user_id,
        username: row.assignee_username.clone(),
        full_name: row.assignee_full_name.clone(),
        email: row.assignee_email.clone(),
        image_url: row.assignee_image_url.clone(),
    })
}

impl From<TaskRow> for Task {
    fn from(row: TaskRow) -> Self {
        let assignee = assignee(&row);
        Self {
            id: row.id,
            project_id: row.project_id,
            title: row.title,
            description: row.description,
            status: row.status,
            task_type: row.task_type,
            priority: row.priority,
            assignee_id: row.assignee_id,
            assignee,
            due_at: row.due_at,
            comment_count: row.comment_count,
            comments: None,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
