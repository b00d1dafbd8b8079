//! Symmetric secrets of the deployment: made on first start, kept in the database, so that every instance has the same.

use sqlx::PgPool;

/// A symmetric secret by name.
pub(crate) async fn secret(pool: &PgPool, name: &str) -> anyhow::Result<[u8; 32]> {
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
