//! Change a task's fields.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, TaskId},
    task::{Task, TaskCommand, TaskFields, TaskPatch},
};

use super::check_assignee;
use crate::application::{Command, Error, IfVersion, Unit};

/// Change a task's fields.
#[derive(Clone, Debug)]
pub struct UpdateTask {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The task to change; refused unless it belongs to that project.
    pub task_id: TaskId,
    /// The fields to change.
    pub patch: TaskPatch,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

/// A task as it stands after the change.
#[derive(Clone, Debug)]
pub struct UpdatedTask {
    /// All fields of the task, also those that did not change.
    pub fields: TaskFields,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
}

impl Command for UpdateTask {
    type Reply = UpdatedTask;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.task_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<UpdatedTask, Error> {
        let (_, membership) = unit.authorize(self.project_id, Action::EditTasks).await?;
        let task = unit.read::<Task>(self.task_id).await?;
        let fields = task.state.of(self.project_id)?;
        self.if_version.check(task.sequence)?;
        if self.patch.assignee_id.is_some_and(|wanted| wanted != fields.assignee_id) {
            check_assignee(&membership.state, self.patch.assignee_id.flatten())?;
        }
        let updated = unit.decide(&task, TaskCommand::Update(self.patch.clone()))?;
        let fields = updated.state.of(self.project_id)?.clone();
        Ok(UpdatedTask { fields, version: updated.sequence, changed: updated.sequence != task.sequence })
    }
}
