//! Take an invitation back.

use uuid::Uuid;
use workroom_domain::{
    ids::InvitationId,
    invitation::{Invitation, InvitationCommand},
};

use super::Host;
use crate::application::{Change, Command, Error, TableChange, Unit};

/// Take an invitation back.
#[derive(Clone, Copy, Debug)]
pub struct RevokeInvitation {
    /// What it invites to.
    pub host: Host,
    /// The invitation to take back; refused unless it invites to that host.
    pub invitation_id: InvitationId,
}

impl Command for RevokeInvitation {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.invitation_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        self.host.authorize(unit).await?;
        let invitation = unit.read::<Invitation>(self.invitation_id).await?;
        if Host::of(invitation.state.place()?) != self.host {
            return Err(Error::not_found("invitation"));
        }
        unit.decide(&invitation, InvitationCommand::Revoke)?;
        Ok(())
    }
}

/// Forgets whom an invitation went to; its mail, if it is still waiting, goes with it.
#[derive(Clone, Copy, Debug)]
pub struct DeleteInvitation(pub InvitationId);

impl TableChange for DeleteInvitation {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let id = Uuid::from(self.0);
        Ok(vec![Change::new("DELETE FROM invitations WHERE id = ($1 #>> '{}')::uuid", &id)?])
    }
}
