//! How often something may be tried, over all instances: the generic cell rate algorithm (ITU-T I.371), in Postgres.
//!
//! A row keeps one moment a key: when all its attempts have run off. An attempt moves that moment on by window ÷ attempts,
//! and is refused where it would move beyond the window. One call is one round trip; a refusal writes nothing.
//!
//! What is an attempt only once it has failed is [checked](Throttle::check) first and [counted](Throttle::count) then; what is
//! one in any case is [charged](Throttle::charge), exactly.

use std::time::{Duration, Instant};

use sqlx::PgPool;

/// Refusals that a process remembers, so that a flood costs no query each.
const CACHE_ENTRIES: u64 = 100_000;
/// For how long, at most: on another instance attempts may have run off meanwhile.
const CACHE_TTL: Duration = Duration::from_millis(500);

/// So many attempts in a window, and then one each window ÷ attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Attempts; at least one.
    pub attempts: u32,
    /// How long it takes until that many attempts have all run off.
    pub window: Duration,
}

impl Rule {
    fn interval(&self) -> f64 {
        self.window.as_secs_f64() / f64::from(self.attempts.max(1))
    }
}

/// What is counted, as a keyed digest, and by which rule.
pub type Charge = ([u8; 32], Rule);

/// Too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// When the next one is due.
    pub retry_after: Duration,
}

/// Which key has had too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The key with too many attempts; of several, the one with the longest wait.
    pub key: [u8; 32],
    /// When the next one is due.
    pub retry_after: Duration,
}

/// Keys, intervals and windows, as the database's functions take them.
fn columns(charges: &[Charge]) -> (Vec<Vec<u8>>, Vec<f64>, Vec<f64>) {
    let keys = charges.iter().map(|(key, _)| key.to_vec()).collect();
    let intervals = charges.iter().map(|(_, rule)| rule.interval()).collect();
    (keys, intervals, charges.iter().map(|(_, rule)| rule.window.as_secs_f64()).collect())
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
        let refused = moka::sync::Cache::builder().max_capacity(CACHE_ENTRIES).time_to_live(CACHE_TTL).build();
        Self { pool, refused }
    }

    /// Counts an attempt under every key, or under none where one of them has had too many.
    pub async fn charge(&self, charges: &[Charge]) -> Result<Result<(), Throttled>, sqlx::Error> {
        let now = Instant::now();
        let remembered = charges.iter().filter_map(|(key, _)| self.refused.get(key)).max();
        if let Some(until) = remembered.filter(|until| *until > now) {
            return Ok(Err(Throttled { retry_after: until - now }));
        }
        let (keys, intervals, windows) = columns(charges);
        let wait: f64 = sqlx::query_scalar("SELECT debit_attempts($1, $2, $3)")
            .bind(keys)
            .bind(intervals)
            .bind(windows)
            .fetch_one(&self.pool)
            .await?;
        if wait <= 0.0 {
            return Ok(Ok(()));
        }
        let retry_after = Duration::from_secs_f64(wait);
        // Which key it was is not told; the narrower one comes last.
        if let Some((key, _)) = charges.last() {
            self.refused.insert(*key, now + retry_after);
        }
        Ok(Err(Throttled { retry_after }))
    }

    /// Whether another attempt is allowed under every key. Counts nothing: who finds out that it failed
    /// [counts](Self::count) it.
    pub async fn check(&self, charges: &[Charge]) -> Result<Result<(), Refused>, sqlx::Error> {
        let now = Instant::now();
        let remembered = charges.iter().filter_map(|(key, _)| Some((*key, self.refused.get(key)?)));
        if let Some((key, until)) = remembered.filter(|(_, until)| *until > now).max_by_key(|(_, until)| *until) {
            return Ok(Err(Refused { key, retry_after: until - now }));
        }
        let (keys, intervals, windows) = columns(charges);
        let refused: Option<(Vec<u8>, f64)> = sqlx::query_as("SELECT key, wait FROM refused_attempt($1, $2, $3)")
            .bind(keys)
            .bind(intervals)
            .bind(windows)
            .fetch_optional(&self.pool)
            .await?;
        let Some((key, wait)) = refused.and_then(|(key, wait)| Some((key.try_into().ok()?, wait))) else {
            return Ok(Ok(()));
        };
        let retry_after = Duration::from_secs_f64(wait.clamp(0.0, 1e9));
        self.refused.insert(key, now + retry_after);
        Ok(Err(Refused { key, retry_after }))
    }

    /// Counts an attempt that failed under every key.
    pub async fn count(&self, charges: &[Charge]) -> Result<(), sqlx::Error> {
        let (keys, intervals, windows) = columns(charges);
        let counted = sqlx::query("SELECT count_attempt($1, $2, $3)").bind(keys).bind(intervals).bind(windows);
        counted.execute(&self.pool).await.map(drop)
    }
}
