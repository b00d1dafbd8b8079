//! The table `realtime_tickets`.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    event_store::{Receipt, receipts},
    identity::Caller,
};

/// Reusable tickets that a session or token may have; one more ends the oldest.
const REUSABLE_TICKETS: i64 = 20;

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
    pub(super) reusable: bool,
    /// Whether the session or token that it was made with goes on.
    pub(super) goes_on: bool,
}

/// A ticket to be stored.
pub(super) struct NewTicket {
    pub(super) hash: Vec<u8>,
    /// Until when it can be used. One that is reusable can be as long as its session goes on.
    pub(super) expires_at: OffsetDateTime,
    pub(super) reusable: bool,
}

/// Until when the session of a caller goes on; none, when it has ended.
pub(super) async fn session_end(pool: &PgPool, session_id: Uuid) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    sqlx::query_scalar("SELECT expires_at FROM sessions WHERE id = $1 AND ended_at IS NULL")
        .bind(session_id)
        .fetch_optional(pool)
        .await
}

/// Stores a ticket, and with it what is kept under its key, if it has one. `false` when something is kept there already, or the
/// account is there no more.
pub(super) async fn insert(
    pool: &PgPool,
    ticket: NewTicket,
    caller: &Caller,
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
                  RETURNING k.key),
              excess AS (
                  DELETE FROM realtime_tickets WHERE $16 AND ticket_hash IN (
                      SELECT ticket_hash FROM realtime_tickets WHERE reusable AND credential_id = $3
                      ORDER BY created_at DESC, ticket_hash OFFSET $17 - 1))
         INSERT INTO realtime_tickets (ticket_hash, account_id, credential_id, rests_on, kind, scope, token_expires_at,
                                       expires_at, reusable)
         SELECT $1, id, $3, $8, $6, $7, $4, $5, $16 FROM account WHERE $10::text IS NULL OR EXISTS (SELECT FROM kept)",
    )
    .bind(ticket.hash)
    .bind(Uuid::from(caller.account_id))
    .bind(caller.credential_id)
    .bind(caller.expires_at)
    .bind(ticket.expires_at)
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
    .bind(ticket.reusable)
    .bind(REUSABLE_TICKETS)
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Takes a ticket out, if its account is open. One that is reusable stays.
pub(super) async fn take(pool: &PgPool, hash: Vec<u8>) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as(
        "WITH used AS (DELETE FROM realtime_tickets WHERE ticket_hash = $1 AND NOT reusable RETURNING *),
              ticket AS (SELECT * FROM used
                         UNION ALL SELECT * FROM realtime_tickets WHERE ticket_hash = $1 AND reusable)
         SELECT t.account_id, t.credential_id, t.rests_on, t.kind, t.scope, t.token_expires_at, t.expires_at, t.reusable,
                CASE t.kind
                    WHEN 'session' THEN EXISTS (
                        SELECT FROM sessions s WHERE s.id = t.credential_id AND s.ended_at IS NULL AND s.expires_at > now())
                    WHEN 'personal_token' THEN EXISTS (SELECT FROM personal_tokens p WHERE p.id = t.credential_id)
                    ELSE true
                END AS goes_on
         FROM ticket t JOIN accounts a ON a.id = t.account_id WHERE a.deactivated_at IS NULL",
    )
    .bind(hash)
    .fetch_optional(pool)
    .await
}
