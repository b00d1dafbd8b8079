//! History is final, and its time runs one way.

use uuid::Uuid;
use workroom::event_store::AppendLimits;

use super::log::{assert_whole, at, open, request};
use crate::support::World;

#[tokio::test]
async fn events_are_never_changed_or_deleted_by_anybody() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    log.append(request(&[at(Uuid::now_v7(), 0)], Uuid::now_v7(), &[])).await.expect("an event");
    for statement in [
        "UPDATE events SET event_type = 'Forged'",
        "UPDATE events SET event_type = 'Forged' WHERE false",
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET payload = payload",
        "DELETE FROM events",
        "TRUNCATE events",
        "TRUNCATE events CASCADE",
        "INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET event_type = 'Forged'",
    ] {
        let refused = sqlx::query(statement).execute(&pool).await;
        assert!(refused.is_err(), "{statement}: {refused:?}");
    }
    assert_eq!(assert_whole(&pool).await, 1);
}

#[tokio::test]
async fn time_never_runs_backwards_along_the_log() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let (aggregate, feed) = (Uuid::now_v7(), Uuid::now_v7());
    log.append(request(&[at(aggregate, 0)], feed, &[])).await.expect("an event");
    // The clock was an hour fast for a moment.
    sqlx::query(
        "INSERT INTO events SELECT 2, gen_random_uuid(), feed_id, 2, aggregate_type, aggregate_id, 2, event_type,
                event_version, payload, metadata, now() + interval '1 hour' FROM events",
    )
    .execute(&pool)
    .await
    .expect("an event from the future");
    for sequence in 2..5 {
        log.append(request(&[at(aggregate, sequence)], feed, &[])).await.expect("an event");
    }
    assert_eq!(assert_whole(&pool).await, 5);
}
