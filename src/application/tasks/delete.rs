//! Remove tasks.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, TaskId},
    task::{Task, TaskCommand},
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Remove a task.
#[derive(Clone, Debug)]
pub struct DeleteTask {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The task to remove; refused unless it belongs to that project.
    pub task_id: TaskId,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteTask {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.task_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        unit.authorize(self.project_id, Action::EditTasks).await?;
        let task = unit.read::<Task>(self.task_id).await?;
        task.state.of(self.project_id)?;
        self.if_version.check(task.sequence)?;
        Ok(unit.decide(&task, TaskCommand::Delete)?.sequence)
    }
}

/// Remove many tasks at once. Those that are gone already are passed over: somebody else was quicker.
#[derive(Clone, Debug)]
pub struct DeleteTasks {
    /// The project they belong to.
    pub project_id: ProjectId,
    /// The tasks to remove; repeated ones, and those of other projects, are passed over.
    pub task_ids: Vec<TaskId>,
}

impl Command for DeleteTasks {
    /// Those that were removed.
    type Reply = Vec<TaskId>;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Vec<TaskId>, Error> {
        unit.authorize(self.project_id, Action::EditTasks).await?;
        let mut deleted = Vec::new();
        for id in &self.task_ids {
            let task = unit.read::<Task>(*id).await?;
            if task.state.of(self.project_id).is_ok() && !deleted.contains(id) {
                unit.decide(&task, TaskCommand::Delete)?;
                deleted.push(*id);
            }
        }
        Ok(deleted)
    }
}
