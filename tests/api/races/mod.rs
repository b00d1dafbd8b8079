//! Rules that span aggregates, raced over two instances: see `docs/rules.md`, which names the race of each rule.

mod deactivation;
mod lagging;
mod organizations;

use crate::support::{Server, World};

/// Rounds of each race.
const ROUNDS: usize = 200;

/// Two instances on one database.
async fn instances(world: &World) -> (Server, Server) {
    tokio::join!(world.server(), world.server())
}

/// Insists that the log has no hole, that views equal a replay, and that every event was allowed.
async fn assert_proved(world: &World) {
    let pool = world.pool().await;
    crate::event_store::log::assert_whole(&pool).await;
    crate::faults::load::assert_proved(world, &pool).await;
}
