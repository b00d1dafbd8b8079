//! The state of an invitation, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{InvitationCommand, InvitationEvent, InvitationRefusal, Place};
use crate::{Decide, aggregate::cqrs_aggregate, ids::AccountId, timestamp::Timestamp};

/// The state of an invitation, computed from its events. Once revoked or accepted, it never changes again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invitation {
    /// Not sent yet.
    #[default]
    Absent,
    /// Waiting for an answer.
    Pending {
        /// What it invites to.
        place: Place,
        /// Until when it can be accepted.
        expires_at: Timestamp,
        /// Who invites, if the event tells.
        invited_by: Option<AccountId>,
    },
    /// Taken back, or ended with its sender's right to invite.
    Revoked {
        /// What it invited to.
        place: Place,
    },
    /// Who was invited has come.
    Accepted {
        /// What it invited to.
        place: Place,
        /// The account that accepted.
        account_id: AccountId,
    },
}

impl Invitation {
    /// What it invites to, or did.
    ///
    /// # Errors
    /// [`InvitationRefusal::Absent`] before it is sent.
    pub fn place(&self) -> Result<Place, InvitationRefusal> {
        match self {
            Self::Absent => Err(InvitationRefusal::Absent),
            Self::Pending { place, .. } | Self::Revoked { place } | Self::Accepted { place, .. } => Ok(*place),
        }
    }
}

impl Decide for Invitation {
    const TYPE: &'static str = "invitation";
    const SHAPE: u32 = 2;
    type Command = InvitationCommand;
    type Event = InvitationEvent;
    type Refusal = InvitationRefusal;

    fn decide(&self, command: InvitationCommand) -> Result<Vec<InvitationEvent>, InvitationRefusal> {
        match (self, command) {
            (Self::Absent, InvitationCommand::Send { place, expires_at, invited_by }) => {
                Ok(vec![InvitationEvent::InvitationSent { place, expires_at, invited_by: Some(invited_by) }])
            }
            (_, InvitationCommand::Send { .. }) => Err(InvitationRefusal::AlreadySent),
            (Self::Pending { place, .. }, InvitationCommand::Revoke) => {
                Ok(vec![InvitationEvent::InvitationRevoked { place: *place }])
            }
            (Self::Pending { place, .. }, InvitationCommand::Lapse) => {
                Ok(vec![InvitationEvent::InvitationLapsed { place: *place }])
            }
            // Nothing is open.
            (_, InvitationCommand::Lapse) => Ok(vec![]),
            (Self::Accepted { .. }, InvitationCommand::Revoke) => Err(InvitationRefusal::Accepted),
            (Self::Pending { expires_at, .. }, InvitationCommand::Accept { at, .. }) if at > *expires_at => {
                Err(InvitationRefusal::Expired)
            }
            (Self::Pending { place, .. }, InvitationCommand::Accept { account_id, .. }) => {
                Ok(vec![InvitationEvent::InvitationAccepted { place: *place, account_id }])
            }
            // Asked again, because the first answer was lost.
            (Self::Accepted { account_id: by, .. }, InvitationCommand::Accept { account_id, .. })
                if *by == account_id =>
            {
                Ok(vec![])
            }
            (Self::Absent | Self::Revoked { .. }, InvitationCommand::Revoke)
            | (Self::Absent | Self::Revoked { .. } | Self::Accepted { .. }, InvitationCommand::Accept { .. }) => {
                Err(InvitationRefusal::Absent)
            }
        }
    }

    fn evolve(&mut self, event: &InvitationEvent) {
        *self = match *event {
            InvitationEvent::InvitationSent { place, expires_at, invited_by } => {
                Self::Pending { place, expires_at, invited_by }
            }
            InvitationEvent::InvitationRevoked { place } | InvitationEvent::InvitationLapsed { place } => {
                Self::Revoked { place }
            }
            InvitationEvent::InvitationAccepted { place, account_id } => Self::Accepted { place, account_id },
        };
    }

    fn feed(&self, id: Uuid) -> Uuid {
        self.place().map_or(id, |place| place.feed())
    }
}

cqrs_aggregate!(Invitation);
