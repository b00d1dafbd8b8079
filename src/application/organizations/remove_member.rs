//! Take a member off an organization; members may take off themselves, which is leaving.

use uuid::Uuid;
use workroom_domain::{
    access::OrganizationAction,
    ids::{AccountId, OrganizationId},
    organization::OrganizationCommand,
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Take a member off an organization.
#[derive(Clone, Debug)]
pub struct RemoveOrganizationMember {
    /// The organization that the member is taken off.
    pub organization_id: OrganizationId,
    /// The member to remove; the caller's own account means leaving.
    pub account_id: AccountId,
    /// The organization's version that the removal is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for RemoveOrganizationMember {
    /// Sequence of the organization's last event.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let is_leaving = unit.context().account()? == self.account_id;
        let action = if is_leaving { OrganizationAction::View } else { OrganizationAction::ManageMembers };
        let organization = unit.authorize_in_organization(self.organization_id, action).await?;
        self.if_version.check(organization.sequence)?;
        let remove = OrganizationCommand::RemoveMember { account_id: self.account_id };
        Ok(unit.decide(&organization, remove)?.sequence)
    }
}
