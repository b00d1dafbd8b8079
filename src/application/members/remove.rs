//! Take a member off a project; members may take off themselves, which is leaving.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{AccountId, ProjectId},
    membership::MembershipCommand,
};

use super::unlead;
use crate::application::{Command, Error, IfVersion, Unit};

/// Take a member off a project.
#[derive(Clone, Debug)]
pub struct RemoveMember {
    /// The project that the member is taken off.
    pub project_id: ProjectId,
    /// The member to remove; the caller's own account means leaving.
    pub account_id: AccountId,
    /// The membership's version that the removal is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for RemoveMember {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let is_leaving = unit.context().account()? == self.account_id;
        // Leaving takes no more than being there, which every role's right to look shows.
        let action = if is_leaving { Action::ViewMembers } else { Action::ManageMembers };
        let (_, membership) = unit.authorize(self.project_id, action).await?;
        self.if_version.check(membership.sequence)?;
        unlead(unit, self.project_id, self.account_id).await?;
        Ok(unit.decide(&membership, MembershipCommand::Remove { account_id: self.account_id })?.sequence)
    }
}
