//! Delete an organization that has no projects any more.

use uuid::Uuid;
use workroom_domain::{access::OrganizationAction, ids::OrganizationId, organization::OrganizationCommand};
use workroom_projections::projects;

use super::release;
use crate::application::{Command, Error, IfVersion, Unit};

/// Delete an organization that has no projects any more.
#[derive(Clone, Debug)]
pub struct DeleteOrganization {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The version that the deletion is meant for, if the caller insists on one.
    pub if_version: IfVersion,
}

impl Command for DeleteOrganization {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn contended(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let organization = unit.authorize_in_organization(self.organization_id, OrganizationAction::Delete).await?;
        self.if_version.check(organization.sequence)?;
        if projects::any_in(unit.pool(), self.organization_id.into()).await? {
            return Err(Error::Conflict("the organization has projects; delete them first".to_owned()));
        }
        let slug = organization.state.active()?.fields.slug.clone();
        release(unit, &slug, self.organization_id).await?;
        Ok(unit.decide(&organization, OrganizationCommand::Delete)?.sequence)
    }
}
