//! Change a workspace's fields.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, WorkspaceId},
    text::{Name, Prose},
    workspace::{Workspace, WorkspaceCommand, WorkspacePatch},
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Change a workspace's fields.
#[derive(Clone, Debug)]
pub struct UpdateWorkspace {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The workspace to change; refused unless it belongs to that project.
    pub workspace_id: WorkspaceId,
    /// The fields to change.
    pub patch: WorkspacePatch,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

/// A workspace as it stands after the change.
#[derive(Clone, Debug)]
pub struct UpdatedWorkspace {
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub description: Prose,
    /// How many files lie in it.
    pub file_count: usize,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
}

impl Command for UpdateWorkspace {
    type Reply = UpdatedWorkspace;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<UpdatedWorkspace, Error> {
        unit.authorize(self.project_id, Action::EditFiles).await?;
        let workspace = unit.read::<Workspace>(self.workspace_id).await?;
        workspace.state.of(self.project_id)?;
        self.if_version.check(workspace.sequence)?;
        let updated = unit.decide(&workspace, WorkspaceCommand::Update(self.patch.clone()))?;
        let state = updated.state.of(self.project_id)?;
        Ok(UpdatedWorkspace {
            name: state.name.clone(),
            description: state.description.clone(),
            file_count: state.file_count(),
            version: updated.sequence,
            changed: updated.sequence != workspace.sequence,
        })
    }
}
