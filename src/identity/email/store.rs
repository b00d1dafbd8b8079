//! The proof of addresses, in the table `accounts`.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use crate::application::{At, Change, Error};

/// Whether an account has an address that is not proven.
pub(super) async fn is_unproven(pool: &PgPool, account_id: AccountId) -> Result<bool, sqlx::Error> {
    let is_unproven: Option<bool> =
        sqlx::query_scalar("SELECT email IS NOT NULL AND email_verified_at IS NULL FROM accounts WHERE id = $1")
            .bind(Uuid::from(account_id))
            .fetch_optional(pool)
            .await?;
    Ok(is_unproven == Some(true))
}

/// Whether a proof would be the account's first, and its normalized address; none where there is no account.
pub(super) async fn proof(pool: &PgPool, account_id: AccountId) -> Result<Option<(bool, Option<String>)>, sqlx::Error> {
    sqlx::query_as("SELECT email_verified_at IS NULL, email_normalized FROM accounts WHERE id = $1")
        .bind(Uuid::from(account_id))
        .fetch_optional(pool)
        .await
}

#[derive(Serialize)]
struct Verified {
    account_id: Uuid,
    now: At,
}

/// Notes that an account's address is proven.
pub(in crate::identity) fn verified(account_id: AccountId, now: OffsetDateTime) -> Result<Change, Error> {
    Change::new(
        "UPDATE accounts t SET email_verified_at = COALESCE(t.email_verified_at, a.now)
         FROM jsonb_to_record($1) AS a (account_id uuid, now timestamptz) WHERE t.id = a.account_id",
        &Verified { account_id: account_id.into(), now: At(now) },
    )
}
