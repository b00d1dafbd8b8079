//! What can have happened to a task.

use serde::{Deserialize, Serialize};

use super::fields::{TaskFields, TaskStatus, TaskType};
use crate::{
    change::changes,
    event::domain_event,
    ids::{AccountId, ProjectId},
    project::Priority,
    text::{Name, Prose},
    timestamp::Timestamp,
};

/// What can have happened to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

changes! {
    /// The changed fields of a task.
    pub struct TaskChanges {
        /// Of the title.
        pub title: Name,
        /// Of the description.
        pub description: Prose,
        /// Of who is to do it.
        pub assignee_id: Option<AccountId>,
        /// Of the status.
        pub status: TaskStatus,
        /// Of the type.
        pub task_type: TaskType,
        /// Of the priority.
        pub priority: Priority,
        /// Of when it should be done.
        pub due_at: Option<Timestamp>,
    }
}
