//! What may be asked of an organization.

use super::fields::{OrganizationFields, OrganizationPatch};
use crate::{access::OrganizationRole, ids::AccountId};

/// What may be asked of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationCommand {
    /// Found it with its first admin.
    Create {
        /// Whether it is the account's own, from registration.
        is_personal: bool,
        /// The first admin.
        admin: AccountId,
        /// Its fields.
        fields: OrganizationFields,
    },
    /// Change the given fields and leave the others.
    Update(OrganizationPatch),
    /// Add a member.
    AddMember {
        /// Who.
        account_id: AccountId,
        /// As what.
        role: OrganizationRole,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        account_id: AccountId,
        /// The new role.
        role: OrganizationRole,
    },
    /// Take a member off; by themselves this is leaving.
    RemoveMember {
        /// Who.
        account_id: AccountId,
    },
    /// Hide it for good; its history stays.
    Delete,
}
