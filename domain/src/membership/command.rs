//! What may be asked of a project's membership.

use crate::{access::Role, ids::AccountId};

/// What may be asked of a project's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipCommand {
    /// Begin the membership with its first owner.
    Create {
        /// The first owner.
        owner: AccountId,
    },
    /// Add a member.
    Add {
        /// The account that becomes a member. It must not be one already.
        account_id: AccountId,
        /// The role that the new member begins with.
        role: Role,
    },
    /// Give a member another role.
    ChangeRole {
        /// The member whose role changes. The last owner cannot get another role.
        account_id: AccountId,
        /// The new role.
        role: Role,
    },
    /// Remove a member; by themselves this is leaving.
    Remove {
        /// The member to remove. The last owner cannot be removed.
        account_id: AccountId,
    },
    /// End the membership together with its project.
    Close,
}
