//! Accept an invitation, and join.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::Account,
    ids::InvitationId,
    invitation::{Invitation, InvitationCommand, InvitationRefusal, Place},
    membership::{Membership, MembershipCommand},
    organization::{Organization, OrganizationCommand},
    timestamp::Timestamp,
};

use crate::application::{Command, Error, TableChange, Unit};

/// Accept an invitation, and join. That the caller was invited is checked before: the log does not know addresses.
#[derive(Clone, Copy, Debug)]
pub struct AcceptInvitation {
    /// The invitation.
    pub invitation_id: InvitationId,
}

impl Command for AcceptInvitation {
    /// What the caller has joined, and as what.
    type Reply = Place;

    fn contended(&self) -> Option<Uuid> {
        Some(self.invitation_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Place, Error> {
        let account_id = unit.context().account()?;
        // Nobody becomes a member after they were erased: the append is guarded by this.
        unit.read::<Account>(account_id).await?.state.active()?;
        let invitation = unit.read::<Invitation>(self.invitation_id).await?;
        let place = invitation.state.place()?;
        let at = Timestamp::new(unit.context().now).map_err(Error::failure)?;
        let accepted = unit.decide(&invitation, InvitationCommand::Accept { account_id, at })?;
        let is_new = accepted.sequence != invitation.sequence;
        // Who has been added meanwhile keeps the role they were given.
        match place {
            Place::Project { project_id, role } => {
                let roster = unit.read::<Membership>(project_id).await?;
                if roster.state.role_of(account_id).is_none() {
                    used_once(is_new)?;
                    unit.decide(&roster, MembershipCommand::Add { account_id, role })?;
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

/// Notes that an invitation was accepted: the address may be invited again, and the link may be followed again.
#[derive(Clone, Copy, Debug)]
pub struct MarkAccepted {
    /// The invitation.
    pub invitation_id: InvitationId,
    /// When.
    pub at: OffsetDateTime,
}

impl TableChange for MarkAccepted {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query("UPDATE invitations SET accepted_at = $2 WHERE id = $1")
            .bind(Uuid::from(self.invitation_id))
            .bind(self.at)
            .execute(connection)
            .await?;
        Ok(())
    }
}
