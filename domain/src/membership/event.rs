//! What can have happened to a project's membership.

use serde::{Deserialize, Serialize};

use crate::{access::Role, event::domain_event, ids::AccountId};

/// What can have happened to a project's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum MembershipEvent {
    /// An account became a member.
    MemberAdded {
        /// The id of the account that became a member.
        account_id: AccountId,
        /// The role that the new member began with.
        role: Role,
    },
    /// A member's role changed.
    MemberRoleChanged {
        /// The id of the member's account.
        account_id: AccountId,
        /// The role before.
        from: Role,
        /// The role after.
        to: Role,
    },
    /// A member left or was removed.
    MemberRemoved {
        /// The id of the account that is no longer a member.
        account_id: AccountId,
        /// The role they had.
        role: Role,
    },
    /// The membership ended with its project: nobody holds a right there any more.
    MembershipClosed {},
}

domain_event!(MembershipEvent {
    MemberAdded => "1",
    MemberRoleChanged => "1",
    MemberRemoved => "1",
    MembershipClosed => "1",
});

impl MembershipEvent {
    /// The account that the event is about.
    pub fn subject(&self) -> Option<AccountId> {
        match self {
            Self::MemberAdded { account_id, .. }
            | Self::MemberRoleChanged { account_id, .. }
            | Self::MemberRemoved { account_id, .. } => Some(*account_id),
            Self::MembershipClosed {} => None,
        }
    }
}
