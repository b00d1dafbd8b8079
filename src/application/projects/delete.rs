//! Delete a project: it is hidden for good, its roster ends, its history stays.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::ProjectId,
    membership::MembershipCommand,
    project::{Project, ProjectCommand},
};

use crate::application::{Command, Error, Unit};

/// Delete a project.
#[derive(Clone, Copy, Debug)]
pub struct DeleteProject {
    /// The project.
    pub project_id: ProjectId,
    /// The version that the deletion is meant for, if the caller insists on one.
    pub if_version: Option<i64>,
}

impl Command for DeleteProject {
    type Reply = ();

    fn contended(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let (_, roster) = unit.authorize(self.project_id, Action::DeleteProject).await?;
        let project = unit.read::<Project>(self.project_id).await?;
        if self.if_version.is_some_and(|version| version != project.sequence) {
            return Err(Error::Stale);
        }
        unit.decide(&project, ProjectCommand::Delete)?;
        unit.decide(&roster, MembershipCommand::Close)?;
        Ok(())
    }
}
