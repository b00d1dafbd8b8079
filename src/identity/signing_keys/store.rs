//! The keys that sign access tokens: made on first start, kept in the database, rotated by command.
//!
//! A new key is stored with the moment from which it signs, some minutes ahead: until then it is published, so that
//! whoever caches the JWKS knows it in time. All instances read the table twice a second and switch at that moment,
//! by the database's clock. The key before it is accepted, and published, until its last token has ended.

use std::time::Duration;

use anyhow::Context;
use sqlx::{Acquire, PgConnection, PgPool};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_projections::session;

use crate::identity::{
    access_token::MAX_LIFETIME,
    signing_key::{KeyRing, SharedKeyRing, SigningKey, key_id},
};

/// The least time that a key is published before it signs: every instance has read it by then.
pub const SHORTEST_LEAD: Duration = Duration::from_secs(10);

/// A key, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct KeyRow {
    /// The key's name, `kid` in the header of its tokens: its RFC 7638 thumbprint, 43 characters of base64url.
    pub kid: String,
    /// Since when, or from when on, it signs.
    pub active_from: OffsetDateTime,
    /// `next`, `current` or `old`.
    pub state: String,
}

#[derive(FromRow)]
struct Stored {
    pkcs8: Vec<u8>,
    state: String,
}

/// Each key with its state. By the statement's time: a transaction that waited for the lock began before the key that it
/// finds. An old one is listed for as long as a token that it signed may hold.
const SELECT: &str = "SELECT * FROM (
        SELECT kid, pkcs8, active_from,
               CASE WHEN active_from > statement_timestamp() THEN 'next'
                    WHEN active_from = max(active_from) FILTER (WHERE active_from <= statement_timestamp())
                        OVER () THEN 'current'
                    ELSE 'old' END AS state,
               lead(active_from) OVER (ORDER BY active_from, kid) AS until
        FROM signing_keys) keys
    WHERE state <> 'old' OR until > statement_timestamp() - make_interval(secs => $1)
    ORDER BY active_from DESC, kid";

fn accepted_after() -> f64 {
    MAX_LIFETIME.as_secs_f64() + 60.0
}

/// The ring as it is stored now; made, where there is none.
///
/// # Errors
/// The database's, or a stored key that does not read.
pub async fn open(pool: &PgPool) -> anyhow::Result<KeyRing> {
    // Two instances may start at once. Each looks only after it has the lock: a statement that both looked and waited
    // would look first.
    let mut connection = session::begin(&pool.connect_options()).await?;
    #[allow(clippy::disallowed_methods, reason = "on a session of its own")]
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7770003)").execute(&mut *transaction).await?;
    let is_empty: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM signing_keys)").fetch_one(&mut *transaction).await?;
    if is_empty {
        insert(&mut transaction, Duration::ZERO).await?;
    }
    let ring = ring(&mut transaction).await?;
    transaction.commit().await?;
    Ok(ring)
}

async fn ring(connection: &mut PgConnection) -> anyhow::Result<KeyRing> {
    let stored: Vec<Stored> = sqlx::query_as(SELECT).bind(accepted_after()).fetch_all(connection).await?;
    let mut current = None;
    let mut others = Vec::new();
    for Stored { pkcs8, state } in stored {
        let key = SigningKey::from_pkcs8(&pkcs8).context("a stored signing key does not read")?;
        if state == "current" && current.is_none() {
            current = Some(key);
        } else {
            others.push(key.verification_key().clone());
        }
    }
    Ok(KeyRing::new(current.context("no signing key is stored")?, others))
}

async fn insert(connection: &mut PgConnection, lead: Duration) -> anyhow::Result<String> {
    let key = SigningKey::generate()?;
    sqlx::query(
        "INSERT INTO signing_keys (kid, pkcs8, active_from) VALUES ($1, $2, statement_timestamp() + make_interval(secs => $3))",
    )
    .bind(key.kid())
    .bind(key.to_pkcs8())
    .bind(lead.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(key.kid().to_owned())
}

/// Makes a ring what the table has now.
///
/// # Errors
/// The database's, or a stored key that does not read.
pub async fn refresh(pool: &PgPool, keys: &SharedKeyRing) -> anyhow::Result<()> {
    let ring = ring(&mut *pool.acquire().await?).await?;
    let known = keys.load();
    if ring.generation() != known.generation() || ring.current().kid() != known.current().kid() {
        tracing::info!(kid = ring.current().kid(), "the signing keys have changed");
        keys.store(ring);
    }
    Ok(())
}

/// The keys and their states, youngest first.
pub async fn list(pool: &PgPool) -> anyhow::Result<Vec<KeyRow>> {
    Ok(sqlx::query_as(SELECT).bind(accepted_after()).fetch_all(pool).await?)
}

/// Stores a new key that signs from `lead` on. With `compromised`, all others are gone at that moment, and what they
/// signed with them; else the one before it is accepted until its tokens have ended. Keys that nobody needs are deleted.
/// Returns the new key's name.
///
/// # Errors
/// The database's; a rotation that is under way already.
pub async fn rotate(pool: &PgPool, lead: Duration, compromised: bool) -> anyhow::Result<String> {
    let mut connection = session::begin(&pool.connect_options()).await?;
    #[allow(clippy::disallowed_methods, reason = "on a session of its own")]
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7770003)").execute(&mut *transaction).await?;
    if compromised {
        let gone: Vec<String> =
            sqlx::query_scalar("DELETE FROM signing_keys RETURNING kid").fetch_all(&mut *transaction).await?;
        let ids: Vec<Uuid> = gone.iter().map(|kid| key_id(kid)).collect();
        sqlx::query("INSERT INTO ended_credentials (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING")
            .bind(ids)
            .execute(&mut *transaction)
            .await?;
        // Tickets that rest on other keys are nobody's proof either.
        sqlx::query("DELETE FROM realtime_tickets WHERE kind = 'session'").execute(&mut *transaction).await?;
        let kid = insert(&mut transaction, Duration::ZERO).await?;
        transaction.commit().await?;
        return Ok(kid);
    }
    let is_waiting: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM signing_keys WHERE active_from > statement_timestamp())")
            .fetch_one(&mut *transaction)
            .await?;
    anyhow::ensure!(!is_waiting, "the next key is published already and waits for its time; see `workroom keys list`");
    let kid = insert(&mut transaction, lead.max(SHORTEST_LEAD)).await?;
    sqlx::query(&format!("DELETE FROM signing_keys WHERE kid NOT IN (SELECT kid FROM ({SELECT}) kept)"))
        .bind(accepted_after())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(kid)
}
