//! Members as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::{accounts::AccountRow, members::MemberRow};

use crate::http::projects::Role;

/// That somebody belongs to it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MemberStatus {
    Active,
}

/// A member of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    /// The account's id.
    pub user_id: Uuid,
    /// Always `active`: an invitation would say `invited`.
    pub status: MemberStatus,
    /// The member's role, which says what the member may do in the project.
    #[schema(value_type = Role)]
    pub role: String,
    /// E-mail address; null once the account is erased, and where its identity provider told none.
    pub email: Option<String>,
    /// The user name; null once the account is erased.
    pub username: Option<String>,
    /// The full name; null where the account has given none, or is erased.
    pub full_name: Option<String>,
    /// When the account became a member; a change of the role does not move it.
    #[serde(with = "time::serde::rfc3339")]
    pub added_at: OffsetDateTime,
}

impl Member {
    /// Somebody whom the views do not show yet, but for the role; an erased account says nothing.
    pub(super) fn of(user_id: Uuid, account: Option<AccountRow>, added_at: OffsetDateTime) -> Self {
        let (email, username, full_name) =
            account.map_or_else(Default::default, |account| (account.email, Some(account.username), account.full_name));
        Self { user_id, status: MemberStatus::Active, role: String::new(), email, username, full_name, added_at }
    }
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            user_id: row.account_id,
            status: MemberStatus::Active,
            role: row.role,
            email: row.email,
            username: row.username,
            full_name: row.full_name,
            added_at: row.added_at,
        }
    }
}
