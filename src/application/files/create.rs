//! Put a file into a workspace.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    file::{Content, File, FileCommand},
    workspace::{FilePath, Workspace, WorkspaceCommand},
};

use super::FilePlace;
use crate::application::{Command, Error, Unit};

/// Put a file into a workspace.
#[derive(Clone, Debug)]
pub struct CreateFile {
    /// Which file: a new id.
    pub place: FilePlace,
    /// Where it lies.
    pub path: FilePath,
    /// What is in it.
    pub content: Content,
}

/// A file was put into a workspace.
#[derive(Clone, Copy, Debug)]
pub struct CreatedFile {
    /// How many events it has had.
    pub version: i64,
}

impl Command for CreateFile {
    type Reply = CreatedFile;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.workspace_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<CreatedFile, Error> {
        let FilePlace { project_id, workspace_id, file_id } = self.place;
        unit.authorize(project_id, Action::EditFiles).await?;
        let workspace = unit.read::<Workspace>(workspace_id).await?;
        workspace.state.of(project_id)?;
        unit.decide(&workspace, WorkspaceCommand::CreateFile { file_id, path: self.path.clone() })?;
        let write = FileCommand::Write { project_id, workspace_id, content: self.content };
        let file = unit.decide::<File>(&Unit::new_aggregate(file_id), write)?;
        Ok(CreatedFile { version: 1 + file.sequence })
    }
}
