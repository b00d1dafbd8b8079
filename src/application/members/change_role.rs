//! Give a member another role.

use uuid::Uuid;
use workroom_domain::{
    access::{Action, Role},
    ids::{AccountId, ProjectId},
    membership::MembershipCommand,
};

use super::unlead;
use crate::application::{Command, Error, IfVersion, Unit};

/// Give a member another role.
#[derive(Clone, Debug)]
pub struct ChangeMemberRole {
    /// The project that the account is a member of.
    pub project_id: ProjectId,
    /// The member who gets the new role; whoever becomes a viewer no longer leads the project.
    pub account_id: AccountId,
    /// The new role.
    pub role: Role,
    /// The membership's version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for ChangeMemberRole {
    /// The role, and the sequence of the membership's last event.
    type Reply = (Role, i64);

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(Role, i64), Error> {
        let (_, membership) = unit.authorize(self.project_id, Action::ManageMembers).await?;
        self.if_version.check(membership.sequence)?;
        if self.role < Role::Collaborator {
            unlead(unit, self.project_id, self.account_id).await?;
        }
        let change = MembershipCommand::ChangeRole { account_id: self.account_id, role: self.role };
        Ok((self.role, unit.decide(&membership, change)?.sequence))
    }
}
