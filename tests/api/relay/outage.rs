//! NATS is away, or has lost something: the copy is made whole again.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::PgPool;

use super::{Running, assert_copied, connect, count, epoch, fill, stream};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_may_be_killed_at_any_time() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 12_000).await;
    world.nats().kill9().await;
    let mut relay = Running::start(&world).await;
    for at in [0, 2_000, 6_000] {
        relay.reaches(at).await;
        world.nats().kill9().await;
        relay.becomes("not at work", |status| !status.leading || status.last_error.is_some()).await;
        world.nats().restart().await.expect("NATS");
    }
    relay.reaches(12_000).await;
    assert_copied(&world, &pool).await;
    assert_eq!(count(&world, "JOBS").await, 1_200);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_may_stall() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 6_000).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(1_000).await;
    let nats = Pid::from_raw(i32::try_from(world.nats().pid().expect("NATS")).expect("a pid"));
    kill(nats, Signal::SIGSTOP).expect("NATS");
    fill(&pool, 7_000).await;
    relay.becomes("in doubt", |status| status.last_error.is_some()).await;
    kill(nats, Signal::SIGCONT).expect("NATS");
    relay.reaches(7_000).await;
    assert_copied(&world, &pool).await;
    relay.stop().await;
}

/// Waits until it is stored how far the streams are, which happens a moment later: what is not stored is handed out again.
async fn stored(pool: &PgPool, position: i64) {
    eventually("the relay's place is stored", async || {
        let behind = "SELECT count(*) FROM relay_checkpoints WHERE position < $1";
        sqlx::query_scalar::<_, i64>(behind).bind(position).fetch_one(pool).await.expect("a count") == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_store_is_filled_again() {
    let world = World::new().await;
    let pool = world.pool().await;
    let before = epoch(&pool).await;
    fill(&pool, 2_000).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(2_000).await;
    stored(&pool, 2_000).await;

    world.nats().wipe_store().await.expect("an empty NATS");
    fill(&pool, 2_500).await;
    relay.reaches(2_500).await;
    assert_copied(&world, &pool).await;
    assert_eq!(count(&world, "JOBS").await, 50, "jobs that were handed out are the reconciler's");
    stored(&pool, 2_500).await;

    relay.stop().await;
    world.nats().wipe_store().await.expect("an empty NATS");
    let mut relay = Running::start(&world).await;
    relay.reaches(2_500).await;
    assert_copied(&world, &pool).await;
    stored(&pool, 2_500).await;

    let messaging = connect(&world).await;
    for name in ["EVENTS", "JOBS"] {
        messaging.jetstream().delete_stream(name).await.expect("a stream");
    }
    fill(&pool, 3_000).await;
    relay.reaches(3_000).await;
    assert_copied(&world, &pool).await;
    assert_eq!(count(&world, "JOBS").await, 50);
    assert_eq!(epoch(&pool).await, before, "the log has not changed");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_gone_are_published_again() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 1_500).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(1_500).await;

    // Under a relay that has nothing to do.
    stream(&world, "EVENTS").await.purge().await.expect("a purge");
    eventually("the purged stream is full again", || async { count(&world, "EVENTS").await == 1_500 }).await;
    assert_copied(&world, &pool).await;
    relay.stop().await;

    // With the relay away: the beginning, something within, the end, everything.
    for gone in 0..4 {
        let stream = stream(&world, "EVENTS").await;
        let first = stream.cached_info().state.first_sequence;
        match gone {
            0 => drop(stream.purge().sequence(first + 100).await.expect("a purge")),
            1 => drop(stream.delete_message(first + 700).await.expect("a deletion")),
            2 => drop(stream.delete_message(first + 1_499).await.expect("a deletion")),
            _ => drop(stream.purge().await.expect("a purge")),
        }
        let mut relay = Running::start(&world).await;
        relay.reaches(1_500).await;
        assert_copied(&world, &pool).await;
        relay.stop().await;
    }
    assert_eq!(count(&world, "JOBS").await, 150);
}
