//! The deployment's keys: made on first start, kept in the database, so that every instance has the same.

use anyhow::Context;
use sqlx::{Acquire, PgConnection, PgPool};

use super::signing_key::{KeyRing, SigningKey};

/// The key that signs access tokens, and those that may still verify them.
pub(super) async fn key_ring(pool: &PgPool) -> anyhow::Result<KeyRing> {
    // Two instances may start at once. Each looks only after it has the lock: a statement that both looked and waited
    // would look first.
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7770003)").execute(&mut *transaction).await?;
    let mut stored = stored_keys(&mut transaction).await?;
    if stored.is_empty() {
        let key = SigningKey::generate()?;
        sqlx::query("INSERT INTO signing_keys (kid, pkcs8) VALUES ($1, $2)")
            .bind(key.kid())
            .bind(key.to_pkcs8())
            .execute(&mut *transaction)
            .await?;
        stored = stored_keys(&mut transaction).await?;
    }
    transaction.commit().await?;
    let mut keys = stored.iter().map(|pkcs8| SigningKey::from_pkcs8(pkcs8));
    let current = keys.next().context("no signing key is stored")?.context("the stored signing key does not read")?;
    let others: Vec<_> = keys.flatten().map(|key| key.verification_key().clone()).collect();
    Ok(KeyRing::new(current, others))
}

async fn stored_keys(connection: &mut PgConnection) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar("SELECT pkcs8 FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at, kid")
        .fetch_all(connection)
        .await
}

/// A symmetric secret by name.
pub(super) async fn secret(pool: &PgPool, name: &str) -> anyhow::Result<[u8; 32]> {
    let mut fresh = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut fresh).map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
    let stored: Vec<u8> = sqlx::query_scalar(
        "INSERT INTO service_secrets AS s (name, secret) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET secret = s.secret RETURNING secret",
    )
    .bind(name)
    .bind(fresh.as_slice())
    .fetch_one(pool)
    .await?;
    stored.try_into().map_err(|_| anyhow::anyhow!("the stored secret `{name}` has the wrong length"))
}
