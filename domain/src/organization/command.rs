//! What may be asked of an organization.

use super::fields::{OrganizationFields, OrganizationPatch};
use crate::{access::OrganizationRole, ids::AccountId};

/// What may be asked of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationCommand {
    /// Create it with its first admin.
    Create {
        /// Whether it is the account's own, from registration.
        is_personal: bool,
        /// The first admin.
        admin: AccountId,
        /// The values of all fields of the new organization.
        fields: OrganizationFields,
    },
    /// Change the given fields and leave the others.
    Update(OrganizationPatch),
    /// Add a member.
    AddMember {
        /// The account that becomes a member. It must not be one already.
        account_id: AccountId,
        /// The role that the new member begins with.
        role: OrganizationRole,
    },
    /// Give a member another role.
    ChangeRole {
        /// The member whose role changes. The last admin cannot get another role.
        account_id: AccountId,
        /// The new role.
        role: OrganizationRole,
    },
    /// Take a member off; by themselves this is leaving.
    RemoveMember {
        /// The member to remove. The last admin cannot be removed.
        account_id: AccountId,
    },
    /// Hide it for good; its history stays.
    Delete,
}
