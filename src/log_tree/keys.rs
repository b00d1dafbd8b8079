//! The keys that sign checkpoints: Ed25519, kept in the database, made at first use, rotated by command.
//!
//! All processes read the key anew for each signature, so that a rotation takes effect at once. The key before it is published
//! for ever, for what it signed stays; its seed is gone.

use sqlx::{PgConnection, PgExecutor, PgPool};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_proofs::{
    checkpoint,
    note::{Signer, Verifier},
};

use super::TreeError;

/// A key, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct KeyRow {
    /// What verifies its signatures: `<name>+<key id>+<public key>` (C2SP signed-note).
    pub verifier: String,
    /// Since when it signed.
    pub created_at: OffsetDateTime,
    /// Since when it signs no more; none for the one that signs.
    pub retired_at: Option<OffsetDateTime>,
}

impl KeyRow {
    /// The key's name, and its id: eight hexadecimal digits.
    pub fn name_and_id(&self) -> (&str, &str) {
        let mut parts = self.verifier.split('+');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }
}

/// All keys, youngest first.
///
/// # Errors
/// The database's.
pub async fn list(executor: impl PgExecutor<'_>) -> Result<Vec<KeyRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT verifier, created_at, retired_at FROM log_signing_keys
         ORDER BY retired_at IS NULL DESC, created_at DESC, verifier",
    )
    .fetch_all(executor)
    .await
}

/// The key that signs; made, where there is none.
pub(super) async fn signer(connection: &mut PgConnection, log_id: Uuid) -> Result<Signer, TreeError> {
    const CURRENT: &str = "SELECT seed FROM log_signing_keys WHERE retired_at IS NULL";
    let mut seed: Option<Vec<u8>> = sqlx::query_scalar(CURRENT).fetch_optional(&mut *connection).await?;
    if seed.is_none() {
        let (fresh, verifier) = fresh(log_id)?;
        // Two processes may start at once: one key stays.
        sqlx::query("INSERT INTO log_signing_keys (verifier, seed) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(verifier)
            .bind(fresh.as_slice())
            .execute(&mut *connection)
            .await?;
        seed = sqlx::query_scalar(CURRENT).fetch_optional(connection).await?;
    }
    let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok()).ok_or(TreeError::Unreadable("the signing key"))?;
    of_seed(log_id, &seed)
}

/// Makes a new key, which signs from now on; returns what verifies its signatures.
///
/// # Errors
/// The database's; another rotation that went on at the same time.
pub async fn rotate(pool: &PgPool) -> Result<String, TreeError> {
    let log_id: Uuid = sqlx::query_scalar("SELECT log_id FROM log_identity").fetch_one(pool).await?;
    let (seed, verifier) = fresh(log_id)?;
    // The count makes the update come first.
    sqlx::query(
        "WITH retired AS (
             UPDATE log_signing_keys SET retired_at = statement_timestamp(), seed = NULL WHERE retired_at IS NULL RETURNING 1)
         INSERT INTO log_signing_keys (verifier, seed) SELECT $1, $2 FROM (SELECT count(*) FROM retired) AS done",
    )
    .bind(&verifier)
    .bind(seed.as_slice())
    .execute(pool)
    .await?;
    Ok(verifier)
}

fn fresh(log_id: Uuid) -> Result<([u8; 32], String), TreeError> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| TreeError::Signing("the system gives no randomness".to_owned()))?;
    let verifier = of_seed(log_id, &seed)?.verifier().to_string();
    Ok((seed, verifier))
}

fn of_seed(log_id: Uuid, seed: &[u8; 32]) -> Result<Signer, TreeError> {
    let name = checkpoint::origin(log_id);
    Signer::from_seed(&name, seed).map_err(|error| TreeError::Signing(error.to_string()))
}

/// What verifies signatures, of all keys that ever signed.
pub(super) async fn verifiers(pool: &PgPool) -> Result<Vec<Verifier>, TreeError> {
    let keys = list(pool).await?;
    keys.iter().map(|key| key.verifier.parse().map_err(|_| TreeError::Unreadable("a verifier"))).collect()
}
