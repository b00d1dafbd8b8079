//! Note that a history is exported.

use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    audit_trail::{AuditTrail, AuditTrailCommand},
    ids::{OrganizationId, ProjectId},
    organization::Organization,
    project::Project,
};

use super::{authorize_in_organization, authorize_in_project};
use crate::application::{Command, Error, Unit, codes::FORBIDDEN};

/// Whose history it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditedFeed {
    /// A project's.
    Project(ProjectId),
    /// An organization's, with those of all its projects.
    Organization(OrganizationId),
    /// The whole log's, by its id. Only whoever runs the service is handed that.
    Log(Uuid),
}

impl AuditedFeed {
    /// The id of the feed, which is that of its audit trail, too.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Project(id) => id.uuid(),
            Self::Organization(id) => id.uuid(),
            Self::Log(id) => id,
        }
    }
}

/// Note that a history is exported. It asks for the right to do so: nothing is handed over before this is in the log.
#[derive(Clone, Copy, Debug)]
pub struct RecordExport {
    /// Whose history is exported.
    pub feed: AuditedFeed,
    /// The position of the log behind which the export begins; 0 for the beginning.
    pub after: i64,
    /// The position of the log up to which it goes.
    pub until: i64,
}

impl RecordExport {
    /// Insists on the right to be handed the history, and on a history that there is. The append is guarded by that.
    async fn authorize(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let is_operator = unit.context().actor == Actor::System(SystemActor::Operator);
        match self.feed {
            AuditedFeed::Project(project_id) if is_operator => {
                let project = unit.read::<Project>(project_id).await?;
                if project.state == Project::Absent { Err(Error::not_found("project")) } else { Ok(()) }
            }
            AuditedFeed::Organization(organization_id) if is_operator => {
                let organization = unit.read::<Organization>(organization_id).await?;
                if organization.state == Organization::Absent { Err(Error::not_found("organization")) } else { Ok(()) }
            }
            AuditedFeed::Log(_) if is_operator => Ok(()),
            AuditedFeed::Project(project_id) => authorize_in_project(unit, project_id).await,
            AuditedFeed::Organization(organization_id) => authorize_in_organization(unit, organization_id).await,
            AuditedFeed::Log(_) => Err(FORBIDDEN.into()),
        }
    }
}

impl Command for RecordExport {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.feed.uuid())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        self.authorize(unit).await?;
        let trail = unit.read::<AuditTrail>(self.feed.uuid()).await?;
        let record = AuditTrailCommand::RecordExport { after: self.after, until: self.until };
        unit.decide(&trail, record)?;
        Ok(())
    }
}
