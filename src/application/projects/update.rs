//! Change a project's fields.

use uuid::Uuid;
use workroom_domain::{
    access::{Action, Role},
    ids::{OrganizationId, ProjectId},
    project::{Project, ProjectCommand, ProjectFields, ProjectPatch},
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Change a project's fields.
#[derive(Clone, Debug)]
pub struct UpdateProject {
    /// The project.
    pub project_id: ProjectId,
    /// The fields to change.
    pub patch: ProjectPatch,
    /// The version that the change is meant for, if the caller insists on one.
    pub if_version: IfVersion,
}

/// A project as it stands after the change.
#[derive(Clone, Debug)]
pub struct UpdatedProject {
    /// The organization it lives in.
    pub organization_id: OrganizationId,
    /// Its fields.
    pub fields: ProjectFields,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
    /// The caller's role.
    pub role: Role,
    /// How many belong to it.
    pub member_count: usize,
}

impl Command for UpdateProject {
    type Reply = UpdatedProject;

    fn contended(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<UpdatedProject, Error> {
        let (role, roster) = unit.authorize(self.project_id, Action::EditProject).await?;
        let project = unit.read::<Project>(self.project_id).await?;
        self.if_version.check(project.sequence)?;
        let updated = unit.decide(&project, ProjectCommand::Update(self.patch.clone()))?;
        let (organization_id, fields) = updated.state.active()?;
        Ok(UpdatedProject {
            organization_id,
            fields: fields.clone(),
            version: updated.sequence,
            changed: updated.sequence != project.sequence,
            role,
            member_count: roster.state.members().len(),
        })
    }
}
