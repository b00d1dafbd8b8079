//! Take a task from somebody who is no longer a member of its project.

use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, ProjectId, TaskId},
    membership::Membership,
    task::{Task, TaskCommand},
};

use crate::application::{Command, Error, Unit};

/// Take a task from somebody who is no longer a member of its project.
#[derive(Clone, Debug)]
pub struct UnassignTask {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The task to take from its assignee; nothing happens where it no longer exists.
    pub task_id: TaskId,
    /// Who had it.
    pub assignee_id: AccountId,
}

impl Command for UnassignTask {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.task_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let membership = unit.read::<Membership>(self.project_id).await?;
        let task = unit.read::<Task>(self.task_id).await?;
        // Back again, or the task gone: the matter has settled itself.
        if membership.state.role_of(self.assignee_id).is_none() && task.state.of(self.project_id).is_ok() {
            unit.decide(&task, TaskCommand::Unassign { assignee_id: self.assignee_id })?;
        }
        Ok(())
    }
}
