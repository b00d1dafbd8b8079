//! Add a member to a project, by e-mail address.

use uuid::Uuid;
use workroom_domain::{
    access::Role,
    account::{Account, AccountRefusal},
    ids::{AccountId, ProjectId},
    membership::MembershipCommand,
};
use workroom_projections::accounts::AccountRow;

use super::{authorize_to_add, require_belonging};
use crate::application::codes::NO_SUCH_ACCOUNT;
use crate::application::{Command, Error, Unit, people::AccountRef};

/// Add a member to a project, by e-mail address.
#[derive(Clone, Debug)]
pub struct AddMember {
    /// The project to add to; the new member must belong to its organization, unless that takes guests.
    pub project_id: ProjectId,
    /// The new member's e-mail address.
    pub account: AccountRef,
    /// The new member's role.
    pub role: Role,
}

/// A member was added.
#[derive(Clone, Debug)]
pub struct AddedMember {
    /// The new member's account, as it was found by the address.
    pub account: AccountRow,
    /// The new member's role, as the command gave it.
    pub role: Role,
    /// Sequence of the membership's last event.
    pub version: i64,
}

impl Command for AddMember {
    type Reply = AddedMember;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<AddedMember, Error> {
        // The right first: who may not manage members must not learn which addresses have accounts.
        let membership = authorize_to_add(unit, self.project_id, self.role).await?;
        let nobody = || Error::invalid("/email", NO_SUCH_ACCOUNT, "no account has this e-mail address");
        let account = self.account.find(unit).await?.ok_or_else(nobody)?;
        // Nobody is made a member after they were erased: the append is guarded by this.
        let member = unit.read::<Account>(account.id).await?;
        if member.state.active() == Err(AccountRefusal::Erased) {
            return Err(nobody());
        }
        require_belonging(unit, self.project_id, Some(AccountId(account.id))).await?;
        let add = MembershipCommand::Add { account_id: AccountId(account.id), role: self.role };
        let membership = unit.decide(&membership, add)?;
        Ok(AddedMember { account, role: self.role, version: membership.sequence })
    }
}
