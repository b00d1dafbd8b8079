//! Invitations as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::application::invitations::InvitationRow;

/// That somebody was invited, and has not answered.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum InvitationStatus {
    Invited,
}

/// Whoever reads mail to an address is asked to join.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// The invitation's id, a UUIDv7.
    pub id: Uuid,
    /// Always `invited`: whoever is a member has `active` here.
    pub status: InvitationStatus,
    /// The project that it invites to; null where it invites to an organization.
    pub project_id: Option<Uuid>,
    /// The organization, if it invites to one.
    pub organization_id: Option<Uuid>,
    /// The address that it went to.
    pub email: String,
    /// The role that whoever accepts will have.
    pub role: String,
    /// What the inviting account wrote along; null where it wrote nothing.
    pub message: Option<String>,
    /// The account that invites.
    pub invited_by: Uuid,
    /// When the invitation was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when it can be accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl From<InvitationRow> for Invitation {
    fn from(row: InvitationRow) -> Self {
        Self {
            id: row.id,
            status: InvitationStatus::Invited,
            project_id: row.project_id,
            organization_id: row.organization_id,
            email: row.email,
            role: row.role,
            message: row.message,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}
