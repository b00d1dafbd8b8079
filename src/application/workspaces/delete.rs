//! Close a workspace, with all files in it; its history stays.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, WorkspaceId},
    workspace::{Workspace, WorkspaceCommand},
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Close a workspace.
#[derive(Clone, Debug)]
pub struct DeleteWorkspace {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The workspace to close; refused unless it belongs to that project.
    pub workspace_id: WorkspaceId,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteWorkspace {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        unit.authorize(self.project_id, Action::EditFiles).await?;
        let workspace = unit.read::<Workspace>(self.workspace_id).await?;
        workspace.state.of(self.project_id)?;
        self.if_version.check(workspace.sequence)?;
        Ok(unit.decide(&workspace, WorkspaceCommand::Delete)?.sequence)
    }
}
