//! The work queue: a message for each attempt that may start.

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workroom::relay::{JobMessage, publish_job};

use super::{Running, assert_copied, connect, count, fill, stream};
use crate::support::World;

/// Adds an event of a job.
async fn add(pool: &PgPool, job: Uuid, sequence: i64, event_type: &str, payload: Value) {
    let insert = "
        INSERT INTO events
        SELECT p, gen_random_uuid(), gen_random_uuid(), 1, 'job', $1, $2, $3, '1', $4, '{}'::json, now()
        FROM (SELECT COALESCE(max(position), 0) + 1 FROM events) AS next (p)";
    let insert = sqlx::query(insert).bind(job.to_string()).bind(sequence).bind(event_type);
    insert.bind(sqlx::types::Json(payload)).execute(pool).await.expect("an event");
}

/// What is in the work queue: subjects and messages.
async fn queued(world: &World) -> Vec<(String, JobMessage)> {
    let stream = stream(world, "JOBS").await;
    let state = stream.cached_info().state.clone();
    let mut queued = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        if let Ok(message) = stream.get_raw_message(sequence).await {
            let job = serde_json::from_slice(&message.payload).expect("a job");
            queued.push((message.subject.to_string(), job));
        }
    }
    queued
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_may_start_are_handed_out_once() {
    let world = World::new().await;
    let pool = world.pool().await;
    let job = Uuid::now_v7();
    let failed = |attempt: u32, retry_at: Value| json!({"attempt": attempt, "retry_at": retry_at});
    add(&pool, job, 1, "JobRequested", json!({"job_type": "code_execution"})).await;
    add(&pool, job, 2, "JobAttemptFailed", failed(1, json!("2020-01-01T00:00:00Z"))).await;
    add(&pool, job, 3, "JobAttemptFailed", failed(2, json!("2999-01-01T00:00:00Z"))).await;
    add(&pool, job, 4, "JobAttemptFailed", failed(3, Value::Null)).await;
    add(&pool, Uuid::now_v7(), 1, "JobRequested", json!({"unreadable": true})).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(5).await;
    let message = |attempt| ("jobs.code_execution".to_owned(), JobMessage { job_id: job, attempt });
    assert_eq!(queued(&world).await, [message(1), message(2)], "not what is due later, or never");

    // The reconciler's suffix gets past what JetStream remembers.
    let messaging = connect(&world).await;
    for (suffix, length) in [(None, 2), (Some("again"), 3), (Some("again"), 3)] {
        publish_job(messaging.jetstream(), "code_execution", message(1).1, suffix).await.expect("the queue");
        assert_eq!(count(&world, "JOBS").await, length, "{suffix:?}");
    }
    relay.stop().await;
}

/// A crash between the two streams leaves the jobs behind the events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_not_lost_between_the_streams() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 30).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(30).await;
    relay.stop().await;
    connect(&world).await.jetstream().delete_stream("JOBS").await.expect("a stream");
    let back = sqlx::query("UPDATE relay_checkpoints SET position = 15 WHERE stream = 'JOBS'");
    back.execute(&pool).await.expect("a checkpoint");
    let mut relay = Running::start(&world).await;
    relay.reaches(30).await;
    let log: Vec<String> =
        sqlx::query_scalar("SELECT aggregate_id FROM events WHERE position IN (20, 30) ORDER BY position")
            .fetch_all(&pool)
            .await
            .expect("the jobs");
    let handed: Vec<String> = queued(&world).await.iter().map(|(_, job)| job.job_id.to_string()).collect();
    assert_eq!(handed, log);
    assert_copied(&world, &pool).await;
    relay.stop().await;
}
