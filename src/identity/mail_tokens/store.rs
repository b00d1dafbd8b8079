//! The table `mail_tokens`: hashes of secrets that are drawn when the mail is put together, good once and not for long.

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::mail_token::{Purpose, draw, hash};

use crate::application::{At, Bytea, Change, Error};

/// Draws a token for an account that has an address.
///
/// # Errors
/// The database's; `Kind::NotFound` for an account without an address.
pub async fn issue(
    connection: &mut PgConnection,
    account_id: Uuid,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<String, Error> {
    let token = draw().map_err(Error::failure)?;
    let issued = sqlx::query(
        "INSERT INTO mail_tokens (token_hash, account_id, purpose, email_normalized, expires_at)
         SELECT $1, id, $3, email_normalized, $4 FROM accounts WHERE id = $2 AND email_normalized IS NOT NULL",
    )
    .bind(hash(&token))
    .bind(account_id)
    .bind(purpose.as_str())
    .bind(now + purpose.lifetime())
    .execute(connection)
    .await?;
    if issued.rows_affected() == 1 { Ok(token) } else { Err(Error::not_found("address")) }
}

/// Whose token it is, if it is good; it stays so.
pub async fn peek(pool: &PgPool, token: &str, purpose: Purpose, now: OffsetDateTime) -> Result<Option<Uuid>, Error> {
    let Some(hash) = hash(token) else { return Ok(None) };
    let account_id = sqlx::query_scalar(
        "SELECT t.account_id FROM mail_tokens t
         JOIN accounts a ON a.id = t.account_id AND a.email_normalized = t.email_normalized
         WHERE t.token_hash = $1 AND t.purpose = $2 AND t.expires_at > $3",
    )
    .bind(hash)
    .bind(purpose.as_str())
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(account_id)
}

#[derive(Serialize)]
struct Redeemed<'a> {
    token_hash: Bytea<'a>,
    account_id: Uuid,
    purpose: &'static str,
    now: At,
}

/// Takes an account's token in: of several who bring it, one is its owner; the others are refused so. All others of its
/// account and purpose end with it.
///
/// # Errors
/// The refusal, for what is no token at all.
pub fn redeem(
    token: &str,
    purpose: Purpose,
    account_id: Uuid,
    now: OffsetDateTime,
    refusal: fn() -> Error,
) -> Result<[Change; 2], Error> {
    let hash = hash(token).ok_or_else(refusal)?;
    let row = Redeemed { token_hash: Bytea(&hash), account_id, purpose: purpose.as_str(), now: At(now) };
    let redeem = Change::new(
        "DELETE FROM mail_tokens t
         USING accounts c, jsonb_to_record($1) AS a (token_hash bytea, account_id uuid, purpose text, now timestamptz)
         WHERE t.token_hash = a.token_hash AND t.purpose = a.purpose AND t.expires_at > a.now
           AND t.account_id = a.account_id AND c.id = t.account_id AND c.email_normalized = t.email_normalized",
        &row,
    )?;
    Ok([redeem.or(refusal), end_all(account_id, purpose)?])
}

#[derive(Serialize)]
struct AllOf {
    account_id: Uuid,
    purpose: &'static str,
}

/// Ends all of an account's tokens for a purpose.
///
/// # Errors
/// What JSON cannot hold.
pub fn end_all(account_id: Uuid, purpose: Purpose) -> Result<Change, Error> {
    Change::new(
        "DELETE FROM mail_tokens t USING jsonb_to_record($1) AS a (account_id uuid, purpose text)
         WHERE t.account_id = a.account_id AND t.purpose = a.purpose",
        &AllOf { account_id, purpose: purpose.as_str() },
    )
}
