//! What may be asked of a task.

use super::fields::{TaskFields, TaskStatus, TaskType};
use crate::{
    ids::{AccountId, ProjectId},
    project::Priority,
    text::{Name, Prose},
    timestamp::Timestamp,
};

/// What may be asked of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskCommand {
    /// Write the task down.
    Create {
        /// The project it belongs to.
        project_id: ProjectId,
        /// Its fields.
        fields: TaskFields,
    },
    /// Change the given fields and leave the others.
    Update(TaskPatch),
    /// Take it from this account, who is no longer a member of the project.
    Unassign {
        /// Who had it.
        assignee_id: AccountId,
    },
    /// Remove it; its history stays.
    Delete,
}

/// The fields to change; `None` leaves one as it is. For assignee and due time `Some(None)` clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPatch {
    /// New title.
    pub title: Option<Name>,
    /// New description.
    pub description: Option<Prose>,
    /// New assignee.
    pub assignee_id: Option<Option<AccountId>>,
    /// New status.
    pub status: Option<TaskStatus>,
    /// New type.
    pub task_type: Option<TaskType>,
    /// New priority.
    pub priority: Option<Priority>,
    /// New due time.
    pub due_at: Option<Option<Timestamp>>,
}
