//! Secrets that are mailed: drawn when the mail is put together, kept as a hash, good once and not for long.

use sqlx::{FromRow, PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{application::Error, notify::secret};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Proving an address; a day.
    EmailVerification,
    /// Setting a new password; an hour.
    PasswordReset,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::EmailVerification => "email_verification",
            Self::PasswordReset => "password_reset",
        }
    }

    /// How long a token is good.
    pub fn lifetime(self) -> Duration {
        match self {
            Self::EmailVerification => Duration::days(1),
            Self::PasswordReset => Duration::hours(1),
        }
    }
}

/// A token that was taken in.
#[derive(Clone, Debug, FromRow)]
pub struct Redeemed {
    /// Whose it was.
    pub account_id: Uuid,
}

/// Draws a token for an account that has an address.
///
/// # Errors
/// The database's; [`Error::NotFound`] for an account without an address.
pub async fn issue(
    connection: &mut PgConnection,
    account_id: Uuid,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<String, Error> {
    let token = secret::draw()?;
    let issued = sqlx::query(
        "INSERT INTO mail_tokens (token_hash, account_id, purpose, email_normalized, expires_at)
         SELECT $1, id, $3, email_normalized, $4 FROM accounts WHERE id = $2 AND email_normalized IS NOT NULL",
    )
    .bind(secret::hash(&token))
    .bind(account_id)
    .bind(purpose.as_str())
    .bind(now + purpose.lifetime())
    .execute(connection)
    .await?;
    if issued.rows_affected() == 1 { Ok(token) } else { Err(Error::NotFound("address")) }
}

/// Whose token it is, if it is good; it stays so.
///
/// # Errors
/// The database's.
pub async fn peek(pool: &PgPool, token: &str, purpose: Purpose, now: OffsetDateTime) -> Result<Option<Uuid>, Error> {
    let Some(hash) = secret::hash(token) else { return Ok(None) };
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

/// Takes a token in: of several who bring it, one is its owner. All others of its account and purpose end with it.
///
/// # Errors
/// The database's.
pub async fn redeem(
    connection: &mut PgConnection,
    token: &str,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<Option<Redeemed>, Error> {
    let Some(hash) = secret::hash(token) else { return Ok(None) };
    let redeemed: Option<Redeemed> = sqlx::query_as(
        "DELETE FROM mail_tokens t USING accounts a
         WHERE t.token_hash = $1 AND t.purpose = $2 AND t.expires_at > $3
           AND a.id = t.account_id AND a.email_normalized = t.email_normalized
         RETURNING t.account_id",
    )
    .bind(hash)
    .bind(purpose.as_str())
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(Redeemed { account_id }) = redeemed {
        sqlx::query("DELETE FROM mail_tokens WHERE account_id = $1 AND purpose = $2")
            .bind(account_id)
            .bind(purpose.as_str())
            .execute(connection)
            .await?;
    }
    Ok(redeemed)
}
