//! Waiting for views before something is decided, or done, by what they show.
//!
//! Views find what a decision is about; they do not make it. They lag behind the log, so whoever looks something up in
//! them waits first until they show all that is in the log, and decides on aggregates that guard the append.

use std::time::Duration;

use sqlx::PgPool;
use workroom_projections::log;

use super::Error;
use crate::application::codes::VIEWS_BEHIND;

/// The group of organizations, projects, members, tasks.
pub const WORKSPACE: &str = "workspace";
/// The group of jobs.
pub const JOBS: &str = "jobs";

/// How long to wait for views that lag.
const TIMEOUT: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until these groups' views show all that is in the log now. Asks the database, not what this process was told.
///
/// # Errors
/// `Kind::Unavailable` when they do not get there in time; the database's.
pub async fn caught_up(pool: &PgPool, groups: &[&str]) -> Result<(), Error> {
    let head = log::head(pool).await?;
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    while reached(pool, groups).await? < head {
        if tokio::time::Instant::now() >= deadline {
            return Err(Error::later(VIEWS_BEHIND, TIMEOUT));
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Ok(())
}

/// The position that the views of all these groups have reached.
pub async fn reached(pool: &PgPool, groups: &[&str]) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT COALESCE(min(COALESCE(c.position, 0)), 0) FROM unnest($1::text[]) AS g (name)
         LEFT JOIN projection_checkpoints c ON c.projection_group = g.name",
    )
    .bind(groups)
    .fetch_one(pool)
    .await
}
