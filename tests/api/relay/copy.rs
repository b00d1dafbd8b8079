//! The copy itself: in order, each event once, over restarts; large events; and what must never be copied.

use workroom::messaging::header;

use super::{Running, add_large, assert_copied, copied, fill, stream};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_neither_lose_nor_double() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 12_000).await;
    for at in [1_000, 4_000, 8_000] {
        let mut relay = Running::start(&world).await;
        relay.reaches(at).await;
        relay.stop().await;
    }
    let mut relay = Running::start(&world).await;
    relay.reaches(12_000).await;
    assert_copied(&world, &pool).await;

    // What comes later goes out when the doorbell rings; and without it, a little later.
    for (to, rings) in [(12_001, true), (12_020, false)] {
        fill(&pool, to).await;
        if rings {
            relay.head.send_replace(to);
        }
        relay.reaches(to).await;
    }
    assert_copied(&world, &pool).await;
    // Where it is, is stored soon after.
    eventually("its place", async || {
        let stored = sqlx::query_as("SELECT stream, position FROM relay_checkpoints ORDER BY stream");
        let stored: Vec<(String, i64)> = stored.fetch_all(&pool).await.expect("checkpoints");
        stored == [("EVENTS".to_owned(), 12_020)]
    })
    .await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_too_large_goes_out_without_its_data_and_stops_nobody() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 5).await;
    add_large(&pool, 5 * 1024 * 1024).await;
    fill(&pool, 10).await;
    for _ in 0..6 {
        add_large(&pool, 2 * 1024 * 1024).await;
    }
    let mut relay = Running::start(&world).await;
    relay.reaches(16).await;
    assert_copied(&world, &pool).await;
    let stream = stream(&world, "EVENTS").await;
    for (sequence, is_omitted) in [(5, false), (6, true), (7, false), (16, false)] {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        assert_eq!(message.headers.get(header::DATA_OMITTED).is_some(), is_omitted, "at {sequence}");
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_published_behind_a_hole() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 1).await;
    let hole =
        "INSERT INTO events SELECT 3, gen_random_uuid(), feed_id, 2, aggregate_type, aggregate_id, 2, event_type,
                event_version, payload, metadata, now() FROM events";
    sqlx::query(hole).execute(&pool).await.expect("an event");
    let mut relay = Running::start(&world).await;
    relay.becomes("halted", |status| status.halted).await;
    assert!(relay.status.borrow().last_error.is_some());
    assert_eq!(copied(&world).await, []);
    relay.stop().await;
}
