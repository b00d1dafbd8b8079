//! End an invitation whose sender may not invite any more.

use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
    access::{self, Action, Decision, OrganizationAction, Role},
    ids::{AccountId, InvitationId},
    invitation::{Invitation, InvitationCommand, Place},
    organization::Organization,
    project::Project,
};

use crate::application::{Command, Error, Unit, accounts::lives};

/// Whether an account manages the members of a place; the append is guarded by that.
///
/// # Errors
/// `Kind::NotFound` for a place that is no more.
pub(super) async fn may_invite(unit: &mut Unit<'_>, place: Place, account_id: AccountId) -> Result<bool, Error> {
    match place {
        Place::Project { project_id, role } => {
            let action = Action::ManageMembers;
            let relation = unit.relation(account_id, project_id, action).await?;
            if access::decide(relation, action) == Decision::Allowed {
                return Ok(true);
            }
            let project = unit.read::<Project>(project_id).await?;
            project.state.active()?;
            Ok(role != Role::Owner && project.state.lead_adds_members(account_id))
        }
        Place::Organization { organization_id, .. } => {
            let organization = unit.read::<Organization>(organization_id).await?;
            let state = organization.state.active()?;
            let members_may = state.fields.settings.members_can_create_projects;
            let action = OrganizationAction::ManageMembers;
            let decision = access::decide_in_organization(state.role_of(account_id), members_may, action);
            Ok(decision == Decision::Allowed)
        }
    }
}

/// End an invitation whose sender may not invite any more. What it went to is forgotten by
/// [`DeleteInvitation`](super::DeleteInvitation).
#[derive(Clone, Copy, Debug)]
pub struct LapseInvitation {
    /// The invitation to end; one that is no longer open stays as it is.
    pub invitation_id: InvitationId,
}

impl Command for LapseInvitation {
    /// Whether it ended with this.
    type Reply = bool;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.invitation_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<bool, Error> {
        let invitation = unit.read::<Invitation>(self.invitation_id).await?;
        let Invitation::Pending { place, invited_by, .. } = invitation.state else { return Ok(false) };
        if let Some(sender) = invited_by
            && lives(unit, sender).await?
        {
            match may_invite(unit, place, sender).await {
                Ok(true) => return Ok(false),
                Ok(false) => {}
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        unit.decide(&invitation, InvitationCommand::Lapse)?;
        Ok(true)
    }
}
