//! What can have happened to a task.

use serde::{Deserialize, Serialize};

use super::fields::{TaskChanges, TaskFields};
use crate::{
    event::domain_event,
    ids::{AccountId, ProjectId},
    redaction::PayloadRedacted,
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
        /// The values of all fields of the new task, which stand beside `type` in the event.
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
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(TaskEvent {
    TaskCreated => "1",
    TaskUpdated => "1",
    TaskUnassigned => "1",
    TaskDeleted => "1",
    PayloadRedacted => "1",
});
