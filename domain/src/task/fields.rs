//! The fields of a task.

use serde::{Deserialize, Serialize};

use crate::{
    ids::AccountId,
    project::Priority,
    text::{Name, Prose},
    timestamp::Timestamp,
};

/// How far a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventTaskStatus))]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Not begun.
    #[default]
    Todo,
    /// Under way.
    InProgress,
    /// Done.
    Done,
}

impl TaskStatus {
    /// The status as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::InProgress => "in_progress",
            Self::Done => "done",
        }
    }
}

/// What kind of task it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventTaskType))]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// Work of no particular kind.
    #[default]
    Task,
    /// Something is wrong.
    Bug,
    /// Something new.
    Feature,
    /// Something better.
    Improvement,
    /// Anything else.
    Other,
}

impl TaskType {
    /// The type as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Bug => "bug",
            Self::Feature => "feature",
            Self::Improvement => "improvement",
            Self::Other => "other",
        }
    }
}

/// Everything a task says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskFields {
    /// What is to be done, in a line.
    pub title: Name,
    /// What is to be done, at length.
    pub description: Prose,
    /// Who is to do it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub assignee_id: Option<AccountId>,
    /// How far it is.
    pub status: TaskStatus,
    /// What kind it is. (`type` is the event's own tag.)
    pub task_type: TaskType,
    /// How pressing it is.
    pub priority: Priority,
    /// When it should be done.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub due_at: Option<Timestamp>,
}
