//! Bad input: every error is a problem document, none is a 5xx, and nothing is written.

mod bodies;
mod codes;
mod connections;
mod documented;
mod rate_limits;
mod requests;

use crate::support::World;

/// Where the log ends.
async fn head(world: &World) -> i64 {
    sqlx::query_scalar("SELECT COALESCE(max(position), 0) FROM events")
        .fetch_one(&world.pool().await)
        .await
        .expect("the head of the log")
}
