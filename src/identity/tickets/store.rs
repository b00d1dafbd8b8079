//! The table `realtime_tickets`.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    event_store::{Receipt, receipts},
    identity::Caller,
};

/// A ticket that was taken in.
#[derive(FromRow)]
pub(super) struct Taken {
    pub(super) account_id: Uuid,
    pub(super) credential_id: Uuid,
    pub(super) rests_on: Uuid,
    pub(super) kind: String,
    pub(super) scope: String,
    pub(super) token_expires_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
}

/// Stores a ticket, and with it what is kept under its key, if it has one. `false` when something is kept there already, or the
/// account is there no more.
pub(super) async fn insert(
    pool: &PgPool,
    hash: Vec<u8>,
    caller: &Caller,
    expires_at: OffsetDateTime,
    receipt: Option<&Receipt>,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "WITH account AS (SELECT id FROM accounts WHERE id = $2 FOR KEY SHARE),
              kept AS (
                  INSERT INTO idempotency_receipts AS k (principal, key, fingerprint, status, headers, body, position)
                  SELECT $9, $10, $11, $12, $13::json, $14, 0 FROM account WHERE $10::text IS NOT NULL
                  ON CONFLICT (principal, key) DO UPDATE
                      SET (fingerprint, status, headers, body, position, created_at) =
                          (excluded.fingerprint, excluded.status, excluded.headers, excluded.body, excluded.position, now())
                      WHERE k.created_at <= now() - make_interval(secs => $15)
                  RETURNING k.key)
         INSERT INTO realtime_tickets (ticket_hash, account_id, credential_id, rests_on, kind, scope, token_expires_at,
                                       expires_at)
         SELECT $1, id, $3, $8, $6, $7, $4, $5 FROM account WHERE $10::text IS NULL OR EXISTS (SELECT FROM kept)",
    )
    .bind(hash)
    .bind(Uuid::from(caller.account_id))
    .bind(caller.credential_id)
    .bind(caller.expires_at)
    .bind(expires_at)
    .bind(caller.kind.as_str())
    .bind(caller.scope.as_str())
    .bind(caller.rests_on)
    .bind(receipt.map(|receipt| receipt.principal))
    .bind(receipt.map(|receipt| &receipt.key))
    .bind(receipt.map(|receipt| &receipt.fingerprint))
    .bind(receipt.and_then(|receipt| i16::try_from(receipt.status).ok()))
    .bind(receipt.map(|receipt| &receipt.headers))
    .bind(receipt.map(|receipt| &receipt.body))
    .bind(receipts::KEPT.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Takes a ticket out, if its account is open.
pub(super) async fn take(pool: &PgPool, hash: Vec<u8>) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as(
        "DELETE FROM realtime_tickets t USING accounts a
         WHERE t.ticket_hash = $1 AND a.id = t.account_id AND a.deactivated_at IS NULL
         RETURNING t.account_id, t.credential_id, t.rests_on, t.kind, t.scope, t.token_expires_at, t.expires_at",
    )
    .bind(hash)
    .fetch_optional(pool)
    .await
}
