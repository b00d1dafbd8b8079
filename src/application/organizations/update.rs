//! Change an organization's fields.

use uuid::Uuid;
use workroom_domain::{
    access::OrganizationAction,
    ids::OrganizationId,
    organization::{OrganizationCommand, OrganizationPatch, OrganizationState},
};

use super::{claim, release};
use crate::application::{Command, Error, IfVersion, Unit};

/// Change an organization's fields.
#[derive(Clone, Debug)]
pub struct UpdateOrganization {
    /// The organization to change; with a new slug, the old one is released.
    pub organization_id: OrganizationId,
    /// The fields to change.
    pub patch: OrganizationPatch,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

/// An organization as it stands after the change.
#[derive(Clone, Debug)]
pub struct UpdatedOrganization {
    /// What is known of it.
    pub state: OrganizationState,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
}

impl Command for UpdateOrganization {
    type Reply = UpdatedOrganization;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<UpdatedOrganization, Error> {
        let organization = unit.authorize_in_organization(self.organization_id, OrganizationAction::Edit).await?;
        self.if_version.check(organization.sequence)?;
        let current = &organization.state.active()?.fields.slug;
        if let Some(slug) = self.patch.slug.as_ref().filter(|slug| *slug != current) {
            claim(unit, slug, self.organization_id).await?;
            release(unit, current, self.organization_id).await?;
        }
        let updated = unit.decide(&organization, OrganizationCommand::Update(self.patch.clone()))?;
        Ok(UpdatedOrganization {
            state: updated.state.active()?.clone(),
            version: updated.sequence,
            changed: updated.sequence != organization.sequence,
        })
    }
}
