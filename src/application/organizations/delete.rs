//! Delete an organization that has no projects any more.

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    Decide, access::OrganizationAction, ids::OrganizationId, organization::OrganizationCommand,
    organization_projects::OrganizationProjects,
};

use super::release;
use crate::application::codes::ORGANIZATION_NOT_EMPTY;
use crate::application::{Command, Error, IfVersion, Unit};

/// Delete an organization that has no projects any more.
#[derive(Clone, Debug)]
pub struct DeleteOrganization {
    /// The organization to delete; refused while it has projects.
    pub organization_id: OrganizationId,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteOrganization {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let organization = unit.authorize_in_organization(self.organization_id, OrganizationAction::Delete).await?;
        self.if_version.check(organization.sequence)?;
        // What can never be deleted is refused as that, whatever is in it.
        organization.state.decide(OrganizationCommand::Delete)?;
        // Each project that is created from here on moves this, which guards the append; those before are in the log, where
        // they are looked up.
        unit.read_committed::<OrganizationProjects>(self.organization_id).await?;
        if has_projects(unit.pool(), self.organization_id).await? {
            return Err(Error::refused(ORGANIZATION_NOT_EMPTY, "the organization has projects; delete them first"));
        }
        let slug = organization.state.active()?.fields.slug.clone();
        release(unit, &slug, self.organization_id).await?;
        // Last: until then the organization's roles say who may release its slug.
        Ok(unit.decide(&organization, OrganizationCommand::Delete)?.sequence)
    }
}

/// Whether a project was created in the organization that has not been deleted; straight from the log.
async fn has_projects(pool: &PgPool, organization_id: OrganizationId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM events created
             WHERE created.event_type = 'ProjectCreated' AND created.payload->>'organization_id' = $1
               AND NOT EXISTS (SELECT FROM events gone
                               WHERE gone.aggregate_type = 'project' AND gone.aggregate_id = created.aggregate_id
                                 AND gone.event_type = 'ProjectDeleted'))",
    )
    .bind(organization_id.to_string())
    .fetch_one(pool)
    .await
}
