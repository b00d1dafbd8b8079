//! Questions about accounts.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// An account and its personal data, from the table `accounts`; an erased account has no row there.
#[derive(Clone, Debug, FromRow)]
pub struct AccountRow {
    /// Id of the account, which is also the id of its feed.
    pub id: Uuid,
    /// E-mail address as given; none where another issuer vouches for the account and told none.
    pub email: Option<String>,
    /// Whether the account has shown that it reads mail to the address.
    pub email_verified: bool,
    /// User name in lower case; no two accounts have the same.
    pub username: String,
    /// Full name; `None` when none was given.
    pub full_name: Option<String>,
    /// Address of a picture, http or https; `None` without one.
    pub image_url: Option<String>,
    /// The organization of its own.
    pub personal_organization_id: Uuid,
    /// When it was registered.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Counts the changes of the profile, from 1.
    pub version: i64,
}

const SELECT: &str =
    "SELECT id, email, email_verified_at IS NOT NULL AS email_verified, username, full_name, image_url,
    personal_organization_id, created_at, updated_at, version FROM accounts ";

/// An account by id.
pub async fn find(pool: &PgPool, id: Uuid) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE id = $1")).bind(id).fetch_optional(pool).await
}

/// An account by normalized e-mail address.
pub async fn find_by_email(pool: &PgPool, normalized: &str) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE email_normalized = $1")).bind(normalized).fetch_optional(pool).await
}

/// What an account is called, and whether it may act.
#[derive(Clone, Debug, FromRow)]
pub struct NameRow {
    /// Id of the account.
    pub id: Uuid,
    /// Its full name, or its user name where it has given none.
    pub name: String,
    /// Whether it is closed for now.
    pub is_deactivated: bool,
}

/// What these accounts are called; of an erased one nothing is known.
pub async fn names(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<NameRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, COALESCE(full_name, username) AS name, deactivated_at IS NOT NULL AS is_deactivated
         FROM accounts WHERE id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await
}
