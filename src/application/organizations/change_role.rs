//! Give a member of an organization another role.

use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationAction, OrganizationRole},
    ids::{AccountId, OrganizationId},
    organization::OrganizationCommand,
};

use crate::application::{Command, Error, IfVersion, Unit};

/// Give a member of an organization another role.
#[derive(Clone, Debug)]
pub struct ChangeOrganizationRole {
    /// The organization that the account is a member of.
    pub organization_id: OrganizationId,
    /// The member who gets the new role.
    pub account_id: AccountId,
    /// The new role.
    pub role: OrganizationRole,
    /// The organization's version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for ChangeOrganizationRole {
    /// Sequence of the organization's last event.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let organization =
            unit.authorize_in_organization(self.organization_id, OrganizationAction::ManageMembers).await?;
        self.if_version.check(organization.sequence)?;
        let change = OrganizationCommand::ChangeRole { account_id: self.account_id, role: self.role };
        Ok(unit.decide(&organization, change)?.sequence)
    }
}
