//! What can have happened to an invitation.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    access::{OrganizationRole, Role},
    event::domain_event,
    ids::{AccountId, OrganizationId, ProjectId},
    timestamp::Timestamp,
};

/// What an invitation invites to, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InvitationPlace))]
#[serde(untagged)]
pub enum Place {
    /// To become a member of a project.
    Project {
        /// The id of the project that the invitation is to.
        project_id: ProjectId,
        /// The role to be had.
        role: Role,
    },
    /// Into an organization.
    Organization {
        /// The id of the organization that the invitation is to.
        organization_id: OrganizationId,
        /// The role to be had.
        role: OrganizationRole,
    },
}

impl Place {
    /// The feed of the project or organization.
    pub fn feed(&self) -> Uuid {
        match self {
            Self::Project { project_id, .. } => project_id.0,
            Self::Organization { organization_id, .. } => organization_id.0,
        }
    }
}

/// What can have happened to an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum InvitationEvent {
    /// It was sent.
    InvitationSent {
        /// What it invites to.
        #[serde(flatten)]
        place: Place,
        /// Until when it can be accepted.
        expires_at: Timestamp,
        /// Who invites; version 1 does not tell.
        #[cfg_attr(feature = "openapi", schema(required))]
        invited_by: Option<AccountId>,
    },
    /// It was taken back; nothing follows.
    InvitationRevoked {
        /// What it invited to.
        #[serde(flatten)]
        place: Place,
    },
    /// Who sent it may no longer invite; nothing follows.
    InvitationLapsed {
        /// What it invited to.
        #[serde(flatten)]
        place: Place,
    },
    /// Who was invited came; nothing follows but their joining.
    InvitationAccepted {
        /// What it invited to.
        #[serde(flatten)]
        place: Place,
        /// The id of the account that accepted.
        account_id: AccountId,
    },
}

domain_event!(InvitationEvent {
    InvitationSent => "2",
    InvitationRevoked => "1",
    InvitationLapsed => "1",
    InvitationAccepted => "1",
});

impl InvitationEvent {
    /// What it invites to.
    pub fn place(&self) -> Place {
        match self {
            Self::InvitationSent { place, .. }
            | Self::InvitationRevoked { place }
            | Self::InvitationLapsed { place }
            | Self::InvitationAccepted { place, .. } => *place,
        }
    }
}
