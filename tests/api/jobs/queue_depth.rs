//! The queue in NATS is shallow: what waits is with the dispatcher, and each attempt is handed out once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::{StreamExt, stream};
use serde_json::json;
use sqlx::PgPool;
use workroom::{jobs::QUEUE, messaging::Messaging};

use crate::support::{World, eventually, within};

/// Jobs that wait at once.
const WAITING: usize = 200;
/// Of one slot: what is handed out, and what was taken up a moment ago and is not acknowledged yet.
const MOST: u64 = 2;

/// How many messages the queue has, and how many it has ever had.
async fn depth(messaging: &Messaging) -> (u64, u64) {
    let queue = messaging.jetstream().get_stream(QUEUE).await.expect("the queue");
    let state = &queue.cached_info().state;
    (state.messages, state.last_sequence)
}

async fn count(pool: &PgPool, event_type: &str) -> u64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1").bind(event_type);
    let count: i64 = count.fetch_one(pool).await.expect("a count");
    count.unsigned_abs()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_wait_few_are_in_the_queue_and_none_twice() {
    let world = World::new().await;
    let roles = ["--roles", "api,projector,relay,scheduler"];
    let server = world.server_with(&roles, &[("WORKROOM_SERVICE_SLOTS", "1")]).await;
    let (ada, pool) = (server.person("ada").await, world.pool().await);
    let messaging = Messaging::connect(world.nats_url()).await.expect("an address");
    messaging.connected().await;
    // The dispatcher makes it.
    eventually("the queue is there", async || messaging.jetstream().get_stream(QUEUE).await.is_ok()).await;
    ada.post("/jobs/pause", json!({})).await.is(200);
    let submitted = stream::iter(0..WAITING).map(|_| ada.job(json!({"type": "noop"})));
    assert_eq!(submitted.buffer_unordered(16).count().await, WAITING);
    assert_eq!(depth(&messaging).await, (0, 0), "all of them are paused");

    let deepest = AtomicU64::new(0);
    ada.post("/jobs/resume", json!({})).await.is(200);
    within(Duration::from_mins(1), "all have run", async || {
        deepest.fetch_max(depth(&messaging).await.0, Ordering::Relaxed);
        count(&pool, "JobSucceeded").await == WAITING as u64
    })
    .await;
    let deepest = deepest.into_inner();
    assert!(deepest <= MOST, "{deepest} messages at a time, for one slot");
    let (_, ever) = depth(&messaging).await;
    assert_eq!((count(&pool, "JobStarted").await, ever), (WAITING as u64, WAITING as u64));
}
