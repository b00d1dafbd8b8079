//! The fields of a task.

use serde::{Deserialize, Serialize};

use crate::{
    fields::fields,
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
    /// Work on the task has not begun. A new task has this status unless its creator names another.
    #[default]
    Todo,
    /// Work on the task has begun and is not finished.
    InProgress,
    /// The task is finished. No reminder of its due time is sent.
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
    /// The task adds something that does not exist yet.
    Feature,
    /// The task makes something better that exists already.
    Improvement,
    /// None of the other kinds fits the task.
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

/// Version of the fields' form in snapshots; see [`SHAPE`](crate::Decide::SHAPE).
pub(super) const SHAPE: u32 = 1;

fields! {
    /// Everything a task says about itself.
    pub struct TaskFields;
    /// The fields to change; `None` leaves one as it is. For assignee and due time `Some(None)` clears.
    pub struct TaskPatch;
    /// The changed fields of a task.
    pub struct TaskChanges;

    /// What is to be done, in a line.
    title: Name, "Of the title.";
    /// What is to be done, at length.
    description: Prose, "Of the description.";
    /// Who is to do it.
    #[schema(required)]
    assignee_id: Option<AccountId>, "Of who is to do it.";
    /// How far it is.
    status: TaskStatus, "Of the status.";
    /// What kind it is. (`type` is the event's own tag.)
    task_type: TaskType, "Of the type.";
    /// How pressing it is.
    priority: Priority, "Of the priority.";
    /// When it should be done.
    #[schema(required)]
    due_at: Option<Timestamp>, "Of when it should be done.";
}
