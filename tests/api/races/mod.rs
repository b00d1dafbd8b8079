//! Rules that span aggregates, tables and log, raced over two instances: `docs/rules.md` names the race of each rule.

mod addresses;
mod bulk;
mod content;
mod deactivation;
mod deliveries;
mod guests;
mod lagging;
mod members;
mod organizations;
mod redaction;
mod schedules;
mod tables;

use futures::{StreamExt, stream};
use sqlx::PgPool;

use crate::support::{Server, World, rounds_of};

/// Rounds that go on at a time.
const AT_ONCE: usize = 4;

/// Rounds of each race.
fn all_rounds() -> usize {
    rounds_of(200)
}

/// Two instances on one database.
async fn instances(world: &World) -> (Server, Server) {
    tokio::join!(world.server(), world.server())
}

/// Runs rounds, a few at a time; returns what they came to, in order.
async fn rounds<T>(number: usize, round: impl AsyncFn(usize) -> T) -> Vec<T> {
    let round = &round;
    stream::iter(0..number).map(|number| round(number)).buffered(AT_ONCE).collect().await
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.expect("a count")
}

/// Insists that the log has no hole, that views equal a replay, and that every event was allowed.
async fn assert_proved(world: &World) {
    let pool = world.pool().await;
    crate::event_store::log::assert_whole(&pool).await;
    crate::faults::load::assert_proved(world, &pool).await;
}
