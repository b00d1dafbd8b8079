//! The state of a task, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{TaskCommand, TaskEvent, TaskFields, TaskRefusal, fields};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::ProjectId,
    redaction::{PayloadRedacted, Texts, redactable},
    text::{Name, Prose},
};

/// The state of a task, computed from its events. A deleted task is never created again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Not written down yet.
    #[default]
    Absent,
    /// The task exists and can be changed.
    Present {
        /// The project it belongs to.
        project_id: ProjectId,
        /// The values that its fields have after the latest event.
        fields: TaskFields,
    },
    /// The task was deleted, and no other task can have its id.
    Deleted {
        /// The project it belonged to.
        project_id: ProjectId,
    },
}

impl Task {
    /// The fields of a task of that project.
    ///
    /// # Errors
    /// [`TaskRefusal::Absent`] before it is written down, after it is removed, and for another project's task.
    pub fn of(&self, project: ProjectId) -> Result<&TaskFields, TaskRefusal> {
        match self {
            Self::Present { project_id, fields } if *project_id == project => Ok(fields),
            Self::Absent | Self::Present { .. } | Self::Deleted { .. } => Err(TaskRefusal::Absent),
        }
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Self::Present { fields, .. } = self {
            texts.add("title", fields.title.as_str());
            texts.add("description", fields.description.as_str());
        }
    }
}

impl TaskFields {
    fn redact(&mut self, redacted: &PayloadRedacted) {
        if redacted.has("title") {
            self.title = Name::redacted();
        }
        if redacted.has("description") {
            self.description = Prose::redacted();
        }
    }
}

impl Decide for Task {
    const TYPE: &'static str = "task";
    const SHAPE: u32 = fields::SHAPE;
    type Command = TaskCommand;
    type Event = TaskEvent;
    type Refusal = TaskRefusal;

    fn decide(&self, command: TaskCommand) -> Result<Vec<TaskEvent>, TaskRefusal> {
        match (command, self) {
            (TaskCommand::Create { project_id, fields }, Self::Absent) => {
                Ok(vec![TaskEvent::TaskCreated { project_id, fields }])
            }
            (TaskCommand::Create { .. }, _) => Err(TaskRefusal::AlreadyExists),
            (TaskCommand::Update(patch), Self::Present { fields, .. }) => {
                let changes = fields.changes(patch);
                Ok(if changes.is_empty() { vec![] } else { vec![TaskEvent::TaskUpdated { changes }] })
            }
            // Who gave it to somebody else meanwhile has settled the matter.
            (TaskCommand::Unassign { assignee_id }, Self::Present { fields, .. }) => {
                let has_it = fields.assignee_id == Some(assignee_id);
                Ok(if has_it { vec![TaskEvent::TaskUnassigned { assignee_id }] } else { vec![] })
            }
            (TaskCommand::Delete, Self::Present { .. }) => Ok(vec![TaskEvent::TaskDeleted {}]),
            (TaskCommand::Update(_) | TaskCommand::Unassign { .. } | TaskCommand::Delete, _) => {
                Err(TaskRefusal::Absent)
            }
        }
    }

    fn evolve(&mut self, event: &TaskEvent) {
        match (event, &mut *self) {
            (TaskEvent::TaskCreated { project_id, fields }, _) => {
                *self = Self::Present { project_id: *project_id, fields: fields.clone() };
            }
            (TaskEvent::TaskUpdated { changes }, Self::Present { fields, .. }) => fields.apply(changes),
            (TaskEvent::TaskUnassigned { .. }, Self::Present { fields, .. }) => fields.assignee_id = None,
            (TaskEvent::TaskDeleted {}, Self::Present { project_id, .. }) => {
                *self = Self::Deleted { project_id: *project_id };
            }
            (TaskEvent::PayloadRedacted(redacted), Self::Present { fields, .. }) => fields.redact(redacted),
            (
                TaskEvent::TaskUpdated { .. }
                | TaskEvent::TaskUnassigned { .. }
                | TaskEvent::TaskDeleted {}
                | TaskEvent::PayloadRedacted(_),
                _,
            ) => {}
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match self {
            Self::Absent => id,
            Self::Present { project_id, .. } | Self::Deleted { project_id } => project_id.0,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Present { fields, .. } => fields.title.as_str().len() + fields.description.as_str().len(),
            Self::Absent | Self::Deleted { .. } => 0,
        }
    }
}

cqrs_aggregate!(Task);
redactable!(Task, TaskEvent);
