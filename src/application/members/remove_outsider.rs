//! Take somebody off a project who does not belong to its organization, where that takes no guests, or is its auditor.

use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationRole, Role},
    ids::{AccountId, ProjectId},
    membership::{Membership, MembershipCommand},
    organization::Organization,
    project::Project,
};

use super::unlead;
use crate::application::{Command, Error, Unit, accounts::first_to_act};

/// Take somebody off a project who does not belong to its organization, where that takes no guests, or is its auditor. What only
/// they own goes to an admin of the organization.
#[derive(Clone, Copy, Debug)]
pub struct RemoveOutsider {
    /// The project to take the account off; nothing happens where it is deleted.
    pub project_id: ProjectId,
    /// The account to take off; nothing happens where it may stay, or is no member.
    pub account_id: AccountId,
}

impl Command for RemoveOutsider {
    /// Whether anybody was taken off.
    type Reply = bool;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<bool, Error> {
        let project = unit.read::<Project>(self.project_id).await?;
        let Ok((organization_id, _)) = project.state.active() else { return Ok(false) };
        let organization = unit.read::<Organization>(organization_id).await?;
        let Ok(state) = organization.state.active() else { return Ok(false) };
        if state.allows_in_projects(self.account_id) {
            return Ok(false);
        }
        let mut membership = unit.read::<Membership>(self.project_id).await?;
        if membership.state.role_of(self.account_id).is_none() {
            return Ok(false);
        }
        let owners_besides = |(id, role): (AccountId, Role)| role == Role::Owner && id != self.account_id;
        if !membership.state.members().any(owners_besides) {
            let admins = state.members().filter(|(_, role)| *role == OrganizationRole::Admin);
            let admins: Vec<_> = admins.map(|(id, _)| id).collect();
            // Where nobody lives who could go on with it, it stays as it is.
            let Some(heir) = first_to_act(unit, &admins).await? else { return Ok(false) };
            let hand_over = match membership.state.role_of(heir) {
                Some(_) => MembershipCommand::ChangeRole { account_id: heir, role: Role::Owner },
                None => MembershipCommand::Add { account_id: heir, role: Role::Owner },
            };
            membership = unit.decide(&membership, hand_over)?;
        }
        unlead(unit, self.project_id, self.account_id).await?;
        unit.decide(&membership, MembershipCommand::Remove { account_id: self.account_id })?;
        Ok(true)
    }
}
