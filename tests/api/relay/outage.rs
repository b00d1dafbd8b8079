//! NATS is away, or has lost something: the copy goes on.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::PgPool;

use super::{Running, assert_copied, assert_copied_behind, connect, epoch, fill, stream};
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
pub(super) async fn stored(pool: &PgPool, position: i64) {
    eventually("the relay's place is stored", async || {
        let behind = "SELECT count(*) FROM relay_checkpoints WHERE position < $1";
        sqlx::query_scalar::<_, i64>(behind).bind(position).fetch_one(pool).await.expect("a count") == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_wiped_store_the_copy_goes_on_where_it_was() {
    let world = World::new().await;
    let pool = world.pool().await;
    let before = epoch(&pool).await;
    fill(&pool, 2_000).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(2_000).await;
    stored(&pool, 2_000).await;

    // Under a relay at work.
    world.nats().wipe_store().await.expect("an empty NATS");
    fill(&pool, 2_500).await;
    relay.reaches(2_500).await;
    assert_copied_behind(&world, &pool, 2_000).await;
    stored(&pool, 2_500).await;

    // With the relay away, while the log goes on.
    relay.stop().await;
    world.nats().wipe_store().await.expect("an empty NATS");
    fill(&pool, 2_600).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(2_600).await;
    assert_copied_behind(&world, &pool, 2_500).await;
    stored(&pool, 2_600).await;

    let messaging = connect(&world).await;
    messaging.jetstream().delete_stream("EVENTS").await.expect("a stream");
    fill(&pool, 3_000).await;
    relay.reaches(3_000).await;
    assert_copied_behind(&world, &pool, 2_600).await;
    assert_eq!(epoch(&pool).await, before, "the log has not changed");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_emptied_goes_on_where_it_was() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 1_500).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(1_500).await;
    stored(&pool, 1_500).await;

    // Under a relay that has nothing to do.
    stream(&world, "EVENTS").await.purge().await.expect("a purge");
    fill(&pool, 1_600).await;
    relay.reaches(1_600).await;
    assert_copied_behind(&world, &pool, 1_500).await;
    stored(&pool, 1_600).await;
    relay.stop().await;

    // With the relay away: the beginning, the end, everything.
    for (gone, to, behind) in [(0, 1_700, 1_550), (1, 1_800, 1_700), (2, 1_900, 1_800)] {
        let stream = stream(&world, "EVENTS").await;
        let state = stream.cached_info().state.clone();
        match gone {
            0 => drop(stream.purge().sequence(state.first_sequence + 50).await.expect("a purge")),
            1 => drop(stream.delete_message(state.last_sequence).await.expect("a deletion")),
            _ => drop(stream.purge().await.expect("a purge")),
        }
        fill(&pool, to).await;
        let mut relay = Running::start(&world).await;
        relay.reaches(to).await;
        assert_copied_behind(&world, &pool, behind).await;
        stored(&pool, to).await;
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_is_bounded_by_age_and_size_whoever_made_it() {
    let world = World::new().await;
    let pool = world.pool().await;
    let config = async || stream(&world, "EVENTS").await.cached_info().config.clone();
    fill(&pool, 10).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(10).await;
    let made = config().await;
    assert_eq!((made.max_age, made.max_bytes), (std::time::Duration::from_hours(72), 1 << 30));
    stored(&pool, 10).await;
    relay.stop().await;

    // As an older version made it, without bounds.
    let unbounded = async_nats::jetstream::stream::Config { max_age: std::time::Duration::ZERO, max_bytes: -1, ..made };
    connect(&world).await.jetstream().update_stream(&unbounded).await.expect("a stream");
    fill(&pool, 20).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(20).await;
    assert_eq!(config().await.max_bytes, 1 << 30);
    assert_copied(&world, &pool).await;
    relay.stop().await;
}
