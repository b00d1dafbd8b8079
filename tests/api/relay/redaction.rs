//! What was redacted is deleted from the copy, whenever the relay learns of it.

use async_nats::jetstream::stream::RawMessageErrorKind;
use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;
use workroom::{
    database,
    messaging::Messaging,
    relay::{Relay, RelayConfig},
};
use workroom_projections::{
    leader::Election,
    log,
    recent::{RecentEvents, StoredEvent},
};

use super::{Running, copied, fill, stream};
use crate::support::World;

const CANARY: &str = "canary-8d2f";

/// Adds an event that says that the one at this position was redacted.
async fn redact(pool: &PgPool, position: i64) {
    let insert = "
        INSERT INTO events
        SELECT (SELECT max(position) + 1 FROM events), gen_random_uuid(), feed_id,
               (SELECT max(feed_seq) + 1 FROM events f WHERE f.feed_id = e.feed_id), aggregate_type, aggregate_id,
               (SELECT max(sequence) + 1 FROM events s
                WHERE s.aggregate_type = e.aggregate_type AND s.aggregate_id = e.aggregate_id),
               'PayloadRedacted', '1', json_build_object('type', 'PayloadRedacted', 'position', position, 'event_id', event_id),
               metadata, now()
        FROM events e WHERE position = $1";
    sqlx::query(insert).bind(position).execute(pool).await.expect("an event");
}

/// The positions that the copy has.
async fn positions(world: &World) -> Vec<i64> {
    copied(world).await.into_iter().map(|(_, position, ..)| position).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redacted_event_is_deleted_from_the_copy() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 10).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(10).await;
    redact(&pool, 3).await;
    relay.head.send_replace(11);
    relay.reaches(11).await;
    assert_eq!(positions(&world).await, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
    let gone = stream(&world, "EVENTS").await.get_raw_message(3).await.expect_err("no message");
    assert_eq!(gone.kind(), RawMessageErrorKind::NoMessageFound);

    // Redacted while nobody copied: what was copied before, and what was not copied yet.
    relay.stop().await;
    redact(&pool, 10).await;
    fill(&pool, 13).await;
    redact(&pool, 13).await;
    redact(&pool, 5).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(15).await;
    assert_eq!(positions(&world).await, [1, 2, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15]);
    assert_eq!(relay.status.borrow().last_error, None);

    // The same is said twice where a relay has died in between.
    redact(&pool, 5).await;
    relay.reaches(16).await;
    relay.stop().await;
    let mut relay = Running::start(&world).await;
    fill(&pool, 20).await;
    relay.reaches(20).await;
    assert_eq!(positions(&world).await, [1, 2, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_died_behind_a_deletion_at_the_end_goes_on_and_empties_nothing() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 10).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(10).await;
    relay.stop().await;
    // So far it came: the last two are deleted, and what says that they were redacted is not published.
    redact(&pool, 10).await;
    redact(&pool, 9).await;
    for sequence in [9, 10] {
        assert!(stream(&world, "EVENTS").await.delete_message(sequence).await.expect("a deletion"));
    }
    let mut relay = Running::start(&world).await;
    relay.reaches(12).await;
    assert_eq!(positions(&world).await, [1, 2, 3, 4, 5, 6, 7, 8, 11, 12]);
    relay.stop().await;

    // Where somebody deleted what was not redacted, the copy lacks an event: it is emptied.
    assert!(stream(&world, "EVENTS").await.delete_message(12).await.expect("a deletion"));
    fill(&pool, 13).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(13).await;
    let left = positions(&world).await;
    assert!(!left.contains(&1) && left.ends_with(&[13]), "{left:?}");
    relay.stop().await;
}

/// Events that [`fill`] has written, as a process remembers them that has not heard of their redaction.
async fn remembered(pool: &PgPool, to: i64) -> Vec<StoredEvent> {
    let rows: Vec<(i64, Uuid, Uuid, String, OffsetDateTime)> = sqlx::query_as(
        "SELECT position, event_id, feed_id, aggregate_id, recorded_at FROM events WHERE position <= $1 ORDER BY position",
    )
    .bind(to)
    .fetch_all(pool)
    .await
    .expect("events");
    let remembered = rows.into_iter().map(|(position, event_id, feed_id, aggregate_id, recorded_at)| StoredEvent {
        position,
        event_id,
        feed_id,
        feed_seq: position,
        aggregate_type: "project",
        aggregate_id: aggregate_id.parse().expect("an id"),
        sequence: 1,
        event_type: "ProjectCreated".to_owned(),
        event_version: "1".to_owned(),
        payload: json!({"text": CANARY}).to_string(),
        metadata: json!({"actor": "system:worker", "occurred_at": "2026-11-20T00:00:00Z"}).to_string(),
        recorded_at,
    });
    remembered.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_redacted_while_nats_was_away_is_not_published_from_memory() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 5).await;
    let recent = RecentEvents::default();
    recent.begin(1, &log::server(&pool).await.expect("a server"));
    recent.push(1, remembered(&pool, 5).await);
    let messaging = Messaging::connect(world.nats_url()).await.expect("an address");
    let options = database::options(&world.database_url).expect("options");
    let (head, doorbell) = watch::channel(0);
    let election = Election::start(options.clone());
    let relay = Relay::new(pool.clone(), options, doorbell, messaging, RelayConfig::default(), election);
    let relay = relay.with_recent(recent);
    let status = relay.status();
    let mut relay = Running { task: tokio::spawn(relay.run()), status, head };
    relay.reaches(5).await;
    let copy = stream(&world, "EVENTS").await;
    for sequence in 1..=5 {
        let message = copy.get_raw_message(sequence).await.expect("a message");
        let text = String::from_utf8(message.payload.to_vec()).expect("UTF-8");
        assert!(!text.contains(CANARY), "{text}");
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_began_in_the_middle_has_its_events_in_other_places() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 10).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(10).await;
    relay.stop().await;
    // Somebody wipes it: places go on, and so do positions.
    stream(&world, "EVENTS").await.purge().await.expect("an empty stream");
    fill(&pool, 15).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(15).await;
    let before = positions(&world).await;
    assert!(before.ends_with(&[11, 12, 13, 14, 15]), "{before:?}");
    redact(&pool, 12).await;
    // One that the copy has let go of is no loss.
    redact(&pool, 1).await;
    relay.reaches(17).await;
    let expected: Vec<i64> =
        before.into_iter().filter(|position| ![1, 12].contains(position)).chain([16, 17]).collect();
    assert_eq!(positions(&world).await, expected);
    relay.stop().await;
}
