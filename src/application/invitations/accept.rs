//! Accept an invitation, and join.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::Account,
    ids::{AccountId, InvitationId},
    invitation::{Invitation, InvitationCommand, InvitationRefusal, Place},
    membership::{Membership, MembershipCommand},
    organization::{Organization, OrganizationCommand},
    timestamp::Timestamp,
};

use super::may_invite;
use crate::application::codes::NO_GUESTS;
use crate::application::{At, Change, Command, Error, TableChange, Unit, members::require_belonging};

/// Accept an invitation, and join. That the caller was invited is checked before: the log does not know addresses.
#[derive(Clone, Copy, Debug)]
pub struct AcceptInvitation {
    /// The invitation to accept; refused where its sender may no longer invite.
    pub invitation_id: InvitationId,
}

impl Command for AcceptInvitation {
    /// What the caller has joined, and as what.
    type Reply = Place;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.invitation_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Place, Error> {
        let account_id = unit.context().account()?;
        // Nobody becomes a member after they were erased: the append is guarded by this.
        unit.read::<Account>(account_id).await?.state.active()?;
        let invitation = unit.read::<Invitation>(self.invitation_id).await?;
        let place = invitation.state.place()?;
        if let Invitation::Pending { invited_by, .. } = invitation.state {
            require_sender(unit, place, invited_by).await?;
        }
        let at = Timestamp::new(unit.context().now).map_err(Error::failure)?;
        let accepted = unit.decide(&invitation, InvitationCommand::Accept { account_id, at })?;
        let is_new = accepted.sequence != invitation.sequence;
        // Who has been added meanwhile keeps the role they were given.
        match place {
            Place::Project { project_id, role } => {
                let membership = unit.read::<Membership>(project_id).await?;
                if membership.state.role_of(account_id).is_none() {
                    used_once(is_new)?;
                    require_belonging(unit, project_id, Some(account_id)).await.map_err(|error| match error {
                        Error::Invalid(_) => NO_GUESTS.into(),
                        error => error,
                    })?;
                    unit.decide(&membership, MembershipCommand::Add { account_id, role })?;
                }
            }
            Place::Organization { organization_id, role } => {
                let organization = unit.read::<Organization>(organization_id).await?;
                if !organization.state.active().is_ok_and(|state| state.role_of(account_id).is_some()) {
                    used_once(is_new)?;
                    unit.decide(&organization, OrganizationCommand::AddMember { account_id, role })?;
                }
            }
        }
        Ok(place)
    }
}

/// Who asks again because the first answer was lost is told that they have joined, as long as they have. An invitation
/// does not bring back who has left or was removed.
fn used_once(is_new: bool) -> Result<(), Error> {
    if is_new { Ok(()) } else { Err(InvitationRefusal::Accepted.into()) }
}

/// An invitation is worth what its sender's word is at the moment when it is accepted: whoever was removed, demoted, closed or
/// erased invites nobody any more.
async fn require_sender(unit: &mut Unit<'_>, place: Place, sender: Option<AccountId>) -> Result<(), Error> {
    let sender = sender.ok_or(InvitationRefusal::Lapsed)?;
    let is_active = unit.read::<Account>(sender).await?.state.active().is_ok();
    if is_active && may_invite(unit, place, sender).await? {
        return Ok(());
    }
    Err(InvitationRefusal::Lapsed.into())
}

/// Notes that an invitation was accepted: the address may be invited again, and the link may be followed again.
#[derive(Clone, Copy, Debug)]
pub struct MarkAccepted {
    /// The invitation whose row is marked.
    pub invitation_id: InvitationId,
    /// The time that the row keeps as `accepted_at`.
    pub at: OffsetDateTime,
}

#[derive(Serialize)]
struct AcceptedRow {
    id: Uuid,
    at: At,
}

impl TableChange for MarkAccepted {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let mark = Change::new(
            "UPDATE invitations t SET accepted_at = a.at
             FROM jsonb_to_record($1) AS a (id uuid, at timestamptz) WHERE t.id = a.id",
            &AcceptedRow { id: self.invitation_id.into(), at: At(self.at) },
        )?;
        Ok(vec![mark])
    }
}
