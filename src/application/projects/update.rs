//! Change a project's fields.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::ProjectId,
    project::{Project, ProjectCommand, ProjectPatch},
};

use crate::application::{Command, Error, Unit};

/// Change a project's fields.
#[derive(Clone, Debug)]
pub struct UpdateProject {
    /// The project.
    pub project_id: ProjectId,
    /// The fields to change.
    pub patch: ProjectPatch,
    /// The version that the change is meant for, if the caller insists on one.
    pub if_version: Option<i64>,
}

impl Command for UpdateProject {
    type Reply = ();

    fn contended(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        unit.authorize(self.project_id, Action::EditProject).await?;
        let project = unit.read::<Project>(self.project_id).await?;
        if self.if_version.is_some_and(|version| version != project.sequence) {
            return Err(Error::Stale);
        }
        unit.decide(&project, ProjectCommand::Update(self.patch.clone()))?;
        Ok(())
    }
}
