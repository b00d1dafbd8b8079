//! How often something may be tried, over all instances: the generic cell rate algorithm (ITU-T I.371), in Postgres.
//!
//! A row keeps one moment a key: when all its attempts are forgiven. An attempt moves that moment on by window ÷ attempts,
//! and is refused where it would move beyond the window. One call is one round trip; a refusal writes nothing.

use std::time::{Duration, Instant};

use sqlx::PgPool;

/// Refusals that a process remembers, so that a flood costs no query each.
const REMEMBERED: u64 = 100_000;
/// For how long, at most: another instance may forgive meanwhile.
const REMEMBERED_FOR: Duration = Duration::from_millis(500);

/// So many attempts in a window, and then one each window ÷ attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Attempts; at least one.
    pub attempts: u32,
    /// The window.
    pub window: Duration,
}

impl Rule {
    fn interval(&self) -> f64 {
        self.window.as_secs_f64() / f64::from(self.attempts.max(1))
    }
}

/// What is counted, as a keyed digest, and by which rule.
pub type Debit = ([u8; 32], Rule);

/// Too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// When the next one is due.
    pub retry_after: Duration,
}

/// Counts attempts. Cheap to clone.
#[derive(Clone)]
pub struct Throttle {
    pool: PgPool,
    refused: moka::sync::Cache<[u8; 32], Instant>,
}

impl Throttle {
    /// Over a migrated database.
    pub fn new(pool: PgPool) -> Self {
        let refused = moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Self { pool, refused }
    }

    /// Counts an attempt under every key, or under none where one of them has had too many.
    ///
    /// # Errors
    /// The database's.
    pub async fn debit(&self, debits: &[Debit]) -> Result<Result<(), Throttled>, sqlx::Error> {
        let now = Instant::now();
        let remembered = debits.iter().filter_map(|(key, _)| self.refused.get(key)).max();
        if let Some(until) = remembered.filter(|until| *until > now) {
            return Ok(Err(Throttled { retry_after: until - now }));
        }
        let wait: f64 = sqlx::query_scalar("SELECT debit_attempts($1, $2, $3)")
            .bind(debits.iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>())
            .bind(debits.iter().map(|(_, rule)| rule.interval()).collect::<Vec<_>>())
            .bind(debits.iter().map(|(_, rule)| rule.window.as_secs_f64()).collect::<Vec<_>>())
            .fetch_one(&self.pool)
            .await?;
        if wait <= 0.0 {
            return Ok(Ok(()));
        }
        let retry_after = Duration::from_secs_f64(wait);
        // Which key it was is not told; the narrower one comes last.
        if let Some((key, _)) = debits.last() {
            self.refused.insert(*key, now + retry_after);
        }
        Ok(Err(Throttled { retry_after }))
    }

    /// Takes an attempt back under every key: it was none.
    ///
    /// # Errors
    /// The database's.
    pub async fn credit(&self, debits: &[Debit]) -> Result<(), sqlx::Error> {
        let mut debits = debits.to_vec();
        debits.sort_unstable_by_key(|(key, _)| *key);
        sqlx::query(
            "WITH locked AS MATERIALIZED (
                 SELECT t.key, k.interval_s FROM throttles t
                 JOIN unnest($1::bytea[], $2::float8[]) AS k (key, interval_s) ON k.key = t.key
                 ORDER BY t.key FOR UPDATE OF t)
             UPDATE throttles t SET free_at = t.free_at - make_interval(secs => l.interval_s)
             FROM locked l WHERE l.key = t.key",
        )
        .bind(debits.iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>())
        .bind(debits.iter().map(|(_, rule)| rule.interval()).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        for (key, _) in &debits {
            self.refused.invalidate(key);
        }
        Ok(())
    }

    /// Deletes what is forgiven.
    ///
    /// # Errors
    /// The database's.
    pub async fn sweep(&self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM throttles WHERE free_at < now()").execute(&self.pool).await.map(drop)
    }
}
