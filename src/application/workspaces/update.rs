//! Change a workspace's fields.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, WorkspaceId},
    workspace::{Workspace, WorkspaceCommand, WorkspacePatch},
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Change a workspace's fields.
#[derive(Clone, Debug)]
pub struct UpdateWorkspace {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The fields to change.
    pub patch: WorkspacePatch,
    /// The version that the change is meant for, if the caller insists on one.
    pub if_version: IfVersion,
}

impl Command for UpdateWorkspace {
    /// Sequence of its last event.
    type Reply = i64;

    fn contended(&self) -> Option<Uuid> {
        Some(self.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        unit.authorize(self.project_id, Action::EditFiles).await?;
        let workspace = unit.read::<Workspace>(self.workspace_id).await?;
        workspace.state.of(self.project_id)?;
        self.if_version.check(workspace.sequence)?;
        Ok(unit.decide(&workspace, WorkspaceCommand::Update(self.patch.clone()))?.sequence)
    }
}
