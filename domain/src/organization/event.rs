//! What can have happened to an organization.

use serde::{Deserialize, Serialize};

use super::fields::{OrganizationChanges, OrganizationFields};
use crate::{access::OrganizationRole, event::domain_event, ids::AccountId, redaction::PayloadRedacted};

/// What can have happened to an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum OrganizationEvent {
    /// The organization was created.
    OrganizationCreated {
        /// Whether it is the admin's own, from registration.
        is_personal: bool,
        /// Its first admin.
        admin_id: AccountId,
        /// The values of all fields of the new organization, which stand beside `type` in the event.
        #[serde(flatten)]
        fields: OrganizationFields,
    },
    /// At least one field changed.
    OrganizationUpdated {
        /// Each changed field, from and to.
        changes: OrganizationChanges,
    },
    /// An account joined.
    OrganizationMemberAdded {
        /// The id of the account that became a member.
        account_id: AccountId,
        /// The role that the new member began with.
        role: OrganizationRole,
    },
    /// A member's role changed.
    OrganizationMemberRoleChanged {
        /// The id of the member's account.
        account_id: AccountId,
        /// The role before.
        from: OrganizationRole,
        /// The role after.
        to: OrganizationRole,
    },
    /// A member left or was removed.
    OrganizationMemberRemoved {
        /// The id of the account that is no longer a member.
        account_id: AccountId,
        /// The role they had.
        role: OrganizationRole,
    },
    /// The organization was deleted; nothing follows.
    OrganizationDeleted {},
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(OrganizationEvent {
    OrganizationCreated => "1",
    OrganizationUpdated => "1",
    OrganizationMemberAdded => "1",
    OrganizationMemberRoleChanged => "1",
    OrganizationMemberRemoved => "1",
    OrganizationDeleted => "1",
    PayloadRedacted => "1",
});

impl OrganizationEvent {
    /// The account that the event is about.
    pub fn subject(&self) -> Option<AccountId> {
        match self {
            Self::OrganizationCreated { admin_id: account_id, .. }
            | Self::OrganizationMemberAdded { account_id, .. }
            | Self::OrganizationMemberRoleChanged { account_id, .. }
            | Self::OrganizationMemberRemoved { account_id, .. } => Some(*account_id),
            Self::OrganizationUpdated { .. } | Self::OrganizationDeleted {} | Self::PayloadRedacted(_) => None,
        }
    }
}
