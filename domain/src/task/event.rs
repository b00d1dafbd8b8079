//! What can have happened to a task.

use serde::{Deserialize, Serialize};

use super::fields::{TaskFields, TaskStatus, TaskType};
use crate::{
    change::Change,
    event::domain_event,
    ids::{AccountId, ProjectId},
    project::Priority,
    text::{Name, Prose},
    timestamp::Timestamp,
};

/// What can have happened to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum TaskEvent {
    /// The task was written down.
    TaskCreated {
        /// The project it belongs to.
        project_id: ProjectId,
        /// Its fields.
        #[serde(flatten)]
        fields: TaskFields,
    },
    /// At least one field changed.
    TaskUpdated {
        /// Each changed field, from and to.
        changes: TaskChanges,
    },
    /// Its assignee is no longer a member of the project: nobody has it now.
    TaskUnassigned {
        /// Who had it.
        assignee_id: AccountId,
    },
    /// The task was removed; nothing follows.
    TaskDeleted {},
}

domain_event!(TaskEvent { TaskCreated => "1", TaskUpdated => "1", TaskUnassigned => "1", TaskDeleted => "1" });

/// The changed fields of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskChanges {
    /// Of the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Change<Name>>,
    /// Of the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Change<Prose>>,
    /// Of who is to do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<Change<Option<AccountId>>>,
    /// Of the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Change<TaskStatus>>,
    /// Of the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_type: Option<Change<TaskType>>,
    /// Of the priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Change<Priority>>,
    /// Of when it should be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Change<Option<Timestamp>>>,
}

impl TaskChanges {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
