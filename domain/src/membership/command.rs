//! What may be asked of a roster.

use crate::{access::Role, ids::AccountId};

/// What may be asked of a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipCommand {
    /// Begin the roster with its first owner.
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
    /// Take a member off the roster; by themselves this is leaving.
    Remove {
        /// Who.
        account_id: AccountId,
    },
    /// End the roster together with its project.
    Close,
}
