//! The table `blocked_addresses`.

use serde::Serialize;
use sqlx::PgPool;
use workroom_credentials::mail_token;

use crate::application::{Change, Error, codes::INVITATIONS_UNWANTED};

#[derive(Serialize)]
struct Digest<'a> {
    digest: &'a str,
}

/// Requires that an address is not blocked.
pub(super) fn require_welcome(digest: &str) -> Result<Change, Error> {
    let wants = Change::new(
        "SELECT WHERE NOT EXISTS (SELECT FROM blocked_addresses WHERE digest = decode($1->>'digest', 'hex'))",
        &Digest { digest },
    )?;
    Ok(wants.or(|| INVITATIONS_UNWANTED.into()))
}

/// Blocks an address no longer.
pub(super) fn unblock(digest: &str) -> Result<Change, Error> {
    Change::new("DELETE FROM blocked_addresses WHERE digest = decode($1->>'digest', 'hex')", &Digest { digest })
}

/// Blocks an address.
pub(super) async fn block(pool: &PgPool, digest: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO blocked_addresses (digest) VALUES (decode($1, 'hex')) ON CONFLICT (digest) DO NOTHING")
        .bind(digest)
        .execute(pool)
        .await
        .map(drop)
}

/// The normalized address that an invitation's token was mailed to.
pub(super) async fn recipient(pool: &PgPool, token: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT i.email_normalized FROM invitation_tokens t JOIN invitations i ON i.id = t.invitation_id
         WHERE t.token_hash = $1",
    )
    .bind(mail_token::hash(token))
    .fetch_optional(pool)
    .await
}
