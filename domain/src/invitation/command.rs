//! What may be asked of an invitation.

use super::Place;
use crate::{ids::AccountId, timestamp::Timestamp};

/// What may be asked of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationCommand {
    /// Send it.
    Send {
        /// What it invites to.
        place: Place,
        /// Until when it can be accepted.
        expires_at: Timestamp,
        /// Who invites.
        invited_by: AccountId,
    },
    /// Take it back.
    Revoke,
    /// End it, because who sent it may no longer invite.
    Lapse,
    /// Come.
    Accept {
        /// Who comes.
        account_id: AccountId,
        /// When.
        at: Timestamp,
    },
}
