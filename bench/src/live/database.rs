//! What Postgres says of itself: when it committed, and how many transactions there were.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use sqlx::PgPool;
use workroom_dev::services::Services;

/// How long Postgres may take until a session's transactions are counted (`PGSTAT_IDLE_INTERVAL`, and a little).
const COUNTED_WITHIN: Duration = Duration::from_millis(10_500);

/// The database of the service.
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Has Postgres note from now on when each transaction was committed.
    ///
    /// # Errors
    /// It is not the benchmark's own, or does not come up again.
    pub async fn prepare(services: &Services) -> anyhow::Result<Self> {
        let postgres = services.postgres().context("the benchmark has a Postgres of its own")?;
        let admin = PgPool::connect(&postgres.admin_url()).await?;
        sqlx::query("ALTER SYSTEM SET track_commit_timestamp = on").execute(&admin).await?;
        admin.close().await;
        postgres.restart().await?;
        Ok(Self { pool: PgPool::connect(&postgres.admin_url()).await? })
    }

    /// When the events of a feed were committed, in microseconds since 1970, by their place. Postgres takes the time when it writes
    /// the commit, before it is on disk.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn commits(&self, feed: &str, after: i64) -> anyhow::Result<HashMap<i64, i64>> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT feed_seq, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint
             FROM events WHERE feed_id = $1::uuid AND feed_seq > $2",
        )
        .bind(feed)
        .bind(after)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// How many events the log holds.
    ///
    /// # Errors
    /// They cannot be counted.
    pub async fn events(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&self.pool).await?)
    }

    /// Transactions so far, of all that were begun before; takes ten seconds.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn transactions(&self) -> anyhow::Result<i64> {
        tokio::time::sleep(COUNTED_WITHIN).await;
        let count = sqlx::query_scalar(
            "SELECT (xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = current_database()",
        );
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Ends the sessions.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
