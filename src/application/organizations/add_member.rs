//! Add a member to an organization.

use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationAction, OrganizationRole},
    account::{Account, AccountRefusal},
    ids::{AccountId, OrganizationId},
    organization::OrganizationCommand,
};
use workroom_projections::accounts::AccountRow;

use crate::application::{Command, Error, Unit, people::AccountRef};

/// Add a member to an organization.
#[derive(Clone, Debug)]
pub struct AddOrganizationMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Who.
    pub account: AccountRef,
    /// As what.
    pub role: OrganizationRole,
}

/// A member was added.
#[derive(Clone, Debug)]
pub struct AddedOrganizationMember {
    /// Who.
    pub account: AccountRow,
    /// Sequence of the organization's last event.
    pub version: i64,
}

impl Command for AddOrganizationMember {
    type Reply = AddedOrganizationMember;

    fn contended(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<AddedOrganizationMember, Error> {
        // The right first: who may not manage members must not learn which addresses have accounts.
        let organization =
            unit.authorize_in_organization(self.organization_id, OrganizationAction::ManageMembers).await?;
        let nobody = || Error::invalid("/email", "no account has this e-mail address");
        let account = self.account.find(unit.pool()).await?.ok_or_else(nobody)?;
        // Nobody is made a member after they were erased: the append is guarded by this.
        if unit.read::<Account>(account.id).await?.state.active() == Err(AccountRefusal::Erased) {
            return Err(nobody());
        }
        let add = OrganizationCommand::AddMember { account_id: AccountId(account.id), role: self.role };
        let organization = unit.decide(&organization, add)?;
        Ok(AddedOrganizationMember { account, version: organization.sequence })
    }
}
