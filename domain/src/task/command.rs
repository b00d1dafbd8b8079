//! What may be asked of a task.

use super::fields::{TaskFields, TaskPatch};
use crate::ids::{AccountId, ProjectId};

/// What may be asked of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskCommand {
    /// Write the task down.
    Create {
        /// The project it belongs to.
        project_id: ProjectId,
        /// The values of all fields of the new task.
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
