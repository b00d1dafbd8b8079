//! What holds for every log, whatever happened to the service that wrote it.

use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;
use workroom::event_store::{AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend};
use workroom_domain::{
    actor::{Actor, SystemActor},
    metadata::Metadata,
};

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.expect("a count")
}

/// Insists that positions, feeds and streams count 1, 2, 3, … in one order, and that time never runs backwards (law 4).
/// Returns the last position.
#[track_caller]
pub fn assert_whole(pool: &PgPool) -> impl Future<Output = i64> + '_ {
    let caller = std::panic::Location::caller();
    async move {
        let (events, head): (i64, i64) = sqlx::query_as("SELECT count(*), COALESCE(max(position), 0) FROM events")
            .fetch_one(pool)
            .await
            .expect("the log");
        assert_eq!(events, head, "positions have a hole, at {caller}");
        let feeds = "SELECT count(*) FROM (
            SELECT feed_seq, row_number() OVER (PARTITION BY feed_id ORDER BY position) AS place FROM events) e
            WHERE feed_seq <> place";
        assert_eq!(count(pool, feeds).await, 0, "a feed has a hole or another order, at {caller}");
        let streams = "SELECT count(*) FROM (
            SELECT sequence, row_number() OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY position) AS place
            FROM events) e WHERE sequence <> place";
        assert_eq!(count(pool, streams).await, 0, "a stream has a hole or another order, at {caller}");
        let times = "SELECT count(*) FROM (
            SELECT recorded_at, lag(recorded_at) OVER (ORDER BY position) AS before FROM events) e
            WHERE recorded_at < before";
        assert_eq!(count(pool, times).await, 0, "time ran backwards, at {caller}");
        head
    }
}

/// Holds the log's lock, so that appends queue up behind it; released when dropped or closed.
pub async fn hold_lock(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::query("SELECT pg_advisory_lock(7770001)").execute(&mut connection).await.expect("the lock");
    connection
}

/// Lets the lock go.
pub async fn release(lock: PgConnection) {
    lock.close().await.expect("the lock's end");
}

/// How many sessions of this database wait for the log's lock.
pub async fn waiting_for_lock(pool: &PgPool) -> i64 {
    count(
        pool,
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
         WHERE locktype = 'advisory' AND NOT granted AND objid = 7770001 AND datname = current_database()",
    )
    .await
}

/// A log of one's own over the database, as another process would open it.
pub async fn open(pool: &PgPool, limits: AppendLimits) -> EventLog {
    EventLog::open(pool.clone(), limits).await.expect("a log")
}

/// An aggregate and the sequence it must have.
pub fn at(aggregate_id: Uuid, sequence: i64) -> Expected {
    Expected { aggregate_type: "project", aggregate_id, sequence }
}

/// An event with this payload, by nobody in particular.
pub fn event(payload: &str) -> NewEvent {
    let metadata = Metadata {
        actor: Actor::System(SystemActor::Worker),
        occurred_at: time::OffsetDateTime::UNIX_EPOCH,
        correlation_id: Uuid::nil(),
        causation_id: None,
        trace_id: None,
    };
    NewEvent {
        event_id: Uuid::now_v7(),
        event_type: "ProjectDeleted".to_owned(),
        event_version: "1".to_owned(),
        payload: payload.to_owned(),
        metadata: serde_json::to_string(&metadata.to_map().expect("a map")).expect("JSON"),
    }
}

/// A request for one event on each of these aggregates, all in one feed, guarded by others.
pub fn request(writes: &[Expected], feed_id: Uuid, guards: &[Expected]) -> AppendRequest {
    let streams = writes
        .iter()
        .map(|expected| StreamAppend {
            expected: *expected,
            feed_id,
            events: vec![event(r#"{"type":"ProjectDeleted"}"#)],
        })
        .collect();
    AppendRequest { streams, guards: guards.to_vec(), ..AppendRequest::default() }
}
