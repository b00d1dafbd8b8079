//! Delete a project: it is hidden for good, its membership ends, its history stays.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::ProjectId,
    membership::MembershipCommand,
    project::{Project, ProjectCommand},
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Delete a project.
#[derive(Clone, Debug)]
pub struct DeleteProject {
    /// The project to delete; its membership is closed with it.
    pub project_id: ProjectId,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteProject {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let (_, membership) = unit.authorize(self.project_id, Action::DeleteProject).await?;
        let project = unit.read::<Project>(self.project_id).await?;
        self.if_version.check(project.sequence)?;
        let deleted = unit.decide(&project, ProjectCommand::Delete)?;
        unit.decide(&membership, MembershipCommand::Close)?;
        Ok(deleted.sequence)
    }
}
