//! What may be asked of an organization.

use super::fields::{ImageUrl, OrganizationFields, Slug};
use crate::{access::OrganizationRole, ids::AccountId, text::Name};

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

/// The fields to change; `None` leaves one as it is. For the picture `Some(None)` clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationPatch {
    /// New name.
    pub name: Option<Name>,
    /// New short name.
    pub slug: Option<Slug>,
    /// New picture.
    pub image_url: Option<Option<ImageUrl>>,
    /// Whether members may found projects.
    pub members_can_create_projects: Option<bool>,
    /// Whether people may belong to its projects who do not belong to it.
    pub allow_guests: Option<bool>,
}
