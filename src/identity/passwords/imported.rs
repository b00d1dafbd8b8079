//! Which kinds of password hashes accounts have besides ours: refusals of a sign-in wait for the dearest, so that their time
//! does not tell which kind an account has.

use sqlx::PgPool;

use crate::identity::password::PasswordHasher;

/// More kinds than these are no kinds, but damage.
const MAX_KINDS: i64 = 1000;

/// Has the hasher expect the kinds that accounts have now.
pub(in crate::identity) async fn expect(pool: &PgPool, hasher: &PasswordHasher) -> anyhow::Result<()> {
    Ok(hasher.expect(&kinds(pool).await?).await?)
}

/// What precedes the salt of hashes that are not of today's kind, each once. The index has one entry an imported account;
/// looking for the next larger kind, instead of for all, reads one entry a kind.
async fn kinds(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH RECURSIVE kinds AS (
             (SELECT hash_kind(password_hash) AS kind FROM accounts WHERE is_foreign_hash(password_hash)
              ORDER BY 1 LIMIT 1)
             UNION ALL
             SELECT (SELECT hash_kind(a.password_hash) FROM accounts a
                     WHERE is_foreign_hash(a.password_hash) AND hash_kind(a.password_hash) > k.kind ORDER BY 1 LIMIT 1)
             FROM kinds k WHERE k.kind IS NOT NULL)
         SELECT kind FROM kinds WHERE kind IS NOT NULL LIMIT $1",
    )
    .bind(MAX_KINDS)
    .fetch_all(pool)
    .await
}
