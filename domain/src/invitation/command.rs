//! What may be asked of an invitation.

use super::Place;
use crate::{ids::AccountId, timestamp::Timestamp};

/// What may be asked of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationCommand {
    /// Create the invitation. It can be accepted until it expires, is revoked, or lapses.
    Send {
        /// What it invites to.
        place: Place,
        /// Until when it can be accepted.
        expires_at: Timestamp,
        /// The account that invites. If it loses the right to invite, the invitation lapses.
        invited_by: AccountId,
    },
    /// Take it back.
    Revoke,
    /// End it, because who sent it may no longer invite.
    Lapse,
    /// Accept the invitation. The membership itself begins by another event, of the project or the organization.
    Accept {
        /// The account that accepts. If the same account accepts again, nothing happens.
        account_id: AccountId,
        /// The moment of the acceptance. After `expires_at` it is refused.
        at: Timestamp,
    },
}
