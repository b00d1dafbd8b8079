//! What may be asked of a project's membership.

use crate::{access::Role, ids::AccountId};

/// What may be asked of a project's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipCommand {
    /// Begin the membership with its first owner.
    Found {
        /// The first owner.
        owner: AccountId,
    },
    /// Add a member.
    Add {
        /// Who.
        account_id: AccountId,
        /// As what.
        role: Role,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        account_id: AccountId,
        /// The new role.
        role: Role,
    },
    /// Remove a member; by themselves this is leaving.
    Remove {
        /// Who.
        account_id: AccountId,
    },
    /// End the membership together with its project.
    Close,
}
