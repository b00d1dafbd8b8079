//! Open a workspace.

use workroom_domain::{
    access::Action,
    ids::{ProjectId, WorkspaceId},
    text::{Name, Prose},
    workspace::{Workspace, WorkspaceCommand},
};

use crate::application::{Command, Error, Unit};

/// Open a workspace.
#[derive(Clone, Debug)]
pub struct CreateWorkspace {
    /// The new workspace's id.
    pub workspace_id: WorkspaceId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub description: Prose,
}

impl Command for CreateWorkspace {
    /// Sequence of its last event.
    type Reply = i64;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        unit.authorize(self.project_id, Action::EditFiles).await?;
        let (name, description) = (self.name.clone(), self.description.clone());
        let create = WorkspaceCommand::Create { project_id: self.project_id, name, description };
        Ok(unit.decide::<Workspace>(&Unit::new_aggregate(self.workspace_id), create)?.sequence)
    }
}
