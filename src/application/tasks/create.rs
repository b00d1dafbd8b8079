//! Write a task down.

use workroom_domain::{
    access::Action,
    ids::{ProjectId, TaskId},
    task::{Task, TaskCommand, TaskFields},
};
use workroom_projections::accounts::{self, AccountRow};

use super::check_assignee;
use crate::application::{Command, Error, Unit};

/// Write a task down.
#[derive(Clone, Debug)]
pub struct CreateTask {
    /// The new task's id.
    pub task_id: TaskId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The task's fields; an assignee must be a member of the project.
    pub fields: TaskFields,
}

/// A task was written down.
#[derive(Clone, Debug)]
pub struct CreatedTask {
    /// Who is to do it.
    pub assignee: Option<AccountRow>,
    /// Sequence of its last event.
    pub version: i64,
}

impl Command for CreateTask {
    type Reply = CreatedTask;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<CreatedTask, Error> {
        let (_, membership) = unit.authorize(self.project_id, Action::EditTasks).await?;
        check_assignee(&membership.state, self.fields.assignee_id)?;
        let assignee = match self.fields.assignee_id {
            Some(id) => accounts::find(unit.pool(), id.into()).await?,
            None => None,
        };
        let create = TaskCommand::Create { project_id: self.project_id, fields: self.fields.clone() };
        let task = unit.decide::<Task>(&Unit::new_aggregate(self.task_id), create)?;
        Ok(CreatedTask { assignee, version: task.sequence })
    }
}
