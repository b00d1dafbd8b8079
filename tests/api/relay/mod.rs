//! The relay: its copy of the log, and the work queue. In process, where a relay must be stopped at a certain place.

mod copy;
mod doorbell;
mod full_disk;
mod held;
mod leaders;
mod outage;
mod redaction;
mod restore;
mod service;

use std::time::Duration;

use async_nats::jetstream::{consumer::pull::OrderedConfig, stream::Stream};
use futures::StreamExt;
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use uuid::Uuid;
use workroom::{
    database,
    messaging::{Messaging, header},
    relay::{Relay, RelayConfig, RelayStatus},
};
use workroom_projections::{history::PublishedEvent, leader::Election, log};

use crate::support::World;

/// How long a relay may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds events up to position `to`, ten feeds in turn; every tenth requests a job. The same ones in every database.
async fn fill(pool: &PgPool, to: i64) {
    let insert = "
        INSERT INTO events
        SELECT p, md5('event ' || p)::uuid, md5('feed ' || p % 10)::uuid, p,
               CASE WHEN p % 10 = 0 THEN 'job' ELSE 'project' END, md5('aggregate ' || p)::uuid::text, 1,
               CASE WHEN p % 10 = 0 THEN 'JobRequested' ELSE 'ProjectCreated' END, '1',
               json_build_object('job_type', 'code_execution', 'text', repeat('x', 250)),
               '{\"actor\": \"system:worker\", \"occurred_at\": \"2026-11-20T00:00:00Z\"}'::json, now()
        FROM generate_series((SELECT COALESCE(max(position), 0) + 1 FROM events), $1) AS p";
    sqlx::query(insert).bind(to).execute(pool).await.expect("events");
}

/// Adds one event of this much data.
async fn add_large(pool: &PgPool, bytes: i32) {
    let insert = "
        INSERT INTO events
        SELECT p, gen_random_uuid(), gen_random_uuid(), 1, 'project', gen_random_uuid()::text, 1, 'ProjectUpdated', '1',
               json_build_object('text', repeat('x', $1)), '{}'::json, now()
        FROM (SELECT COALESCE(max(position), 0) + 1 FROM events) AS next (p)";
    sqlx::query(insert).bind(bytes).execute(pool).await.expect("an event");
}

/// The history that the log tells.
async fn epoch(pool: &PgPool) -> Uuid {
    log::epoch(pool).await.expect("an epoch")
}

/// A connection to a world's NATS.
async fn connect(world: &World) -> Messaging {
    let messaging = Messaging::connect(world.nats_url()).await.expect("an address");
    messaging.connected().await;
    messaging
}

/// A stream as it is now.
async fn stream(world: &World, name: &str) -> Stream {
    connect(world).await.jetstream().get_stream(name).await.expect("a stream")
}

/// A relay at work.
struct Running {
    task: JoinHandle<()>,
    status: watch::Receiver<RelayStatus>,
    /// What wakes it.
    head: watch::Sender<i64>,
}

impl Running {
    /// A relay between a world's database and its NATS.
    async fn start(world: &World) -> Self {
        Self::between(world, world).await
    }

    /// A relay from one world's database to another's NATS.
    async fn between(from: &World, to: &World) -> Self {
        Self::by(from, to.nats_url()).await
    }

    /// A relay from one world's database to the NATS at this address.
    async fn by(from: &World, nats_url: &str) -> Self {
        let messaging = Messaging::connect(nats_url).await.expect("an address");
        let options = database::options(&from.database_url).expect("options");
        let (head, doorbell) = watch::channel(0);
        let election = Election::start(options.clone());
        let relay = Relay::new(from.pool().await, options, doorbell, messaging, RelayConfig::default(), election);
        let status = relay.status();
        Self { task: tokio::spawn(relay.run()), status, head }
    }

    /// Waits until something is so.
    #[track_caller]
    fn becomes(&mut self, what: &str, is_so: impl FnMut(&RelayStatus) -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let found =
                timeout(PATIENCE, self.status.wait_for(is_so)).await.map(|status| drop(status.expect("a relay")));
            assert!(found.is_ok(), "never: {what}, at {caller}: {:?}", *self.status.borrow());
        }
    }

    /// Waits until the copy has reached a position.
    #[track_caller]
    fn reaches(&mut self, position: i64) -> impl Future<Output = ()> {
        self.becomes("the position", move |status| status.position >= position)
    }

    /// Ends it wherever it is.
    async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|end| end.is_cancelled()), "a relay never ends by itself");
    }
}

/// Everything in the stream of events, each message in agreement with itself: stream sequence, position, event id, epoch.
async fn copied(world: &World) -> Vec<(u64, i64, Uuid, Uuid)> {
    let stream = stream(world, "EVENTS").await;
    let count = usize::try_from(stream.cached_info().state.messages).expect("a number");
    if count == 0 {
        return Vec::new();
    }
    let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages").take(count);
    let mut copied = Vec::with_capacity(count);
    while let Some(message) = timeout(PATIENCE, messages.next()).await.expect("a message in time") {
        let message = message.expect("a message");
        let headers = message.headers.as_ref().expect("headers");
        let stamp = |name| headers.get(name).expect("a stamp").as_str().to_owned();
        let event: PublishedEvent = serde_json::from_slice(&message.payload).expect("an event");
        let subject = format!("events.{}.{}.{}", event.feed_id, event.aggregate_type, event.event_type);
        assert_eq!(message.subject.as_str(), subject);
        assert_eq!(stamp(header::POSITION), event.position.to_string());
        assert_eq!(stamp(header::FEED_SEQ), event.seq.to_string());
        assert_eq!(stamp(header::EVENT_ID), event.event_id.to_string());
        let epoch = stamp(header::EPOCH).parse().expect("an epoch");
        let sequence = message.info().expect("a place").stream_sequence;
        copied.push((sequence, event.position, event.event_id, epoch));
    }
    copied
}

/// Asserts that the stream of events is the log: each event once, in order, in this history.
async fn assert_copied(world: &World, pool: &PgPool) {
    assert_copied_behind(world, pool, 0).await;
}

/// Asserts that the stream of events is the log behind a position.
async fn assert_copied_behind(world: &World, pool: &PgPool, position: i64) {
    let behind = "SELECT position, event_id FROM events WHERE position > $1 ORDER BY position";
    let log: Vec<(i64, Uuid)> = sqlx::query_as(behind).bind(position).fetch_all(pool).await.expect("the log");
    let epoch = epoch(pool).await;
    let copied = copied(world).await;
    assert_eq!(copied.len(), log.len());
    for ((_, position, event_id, of), recorded) in copied.iter().zip(log) {
        assert_eq!(((*position, *event_id), *of), (recorded, epoch));
    }
    assert!(copied.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "nothing was published and taken back");
}
