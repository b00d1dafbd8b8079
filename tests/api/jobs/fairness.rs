//! Whose job comes next: nobody waits behind all that somebody else has submitted.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::lifecycle::{bash, with};
use crate::support::{Person, World, eventually};

/// Jobs of one that wait when another comes.
const WAITING: usize = 200;
/// How many of these may start before the other's.
const TURNS: i64 = 2;

/// Submits the same job many times.
async fn submit_many(person: &Person, job: &Value) {
    let submitted = stream::iter(0..WAITING).map(|_| person.job(job.clone()));
    assert_eq!(submitted.buffer_unordered(16).count().await, WAITING);
}

/// How many other jobs started between the submission of this one and its start.
async fn overtaken_by(pool: &PgPool, job: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM events asked
         JOIN events begun ON begun.aggregate_type = 'job' AND begun.aggregate_id = asked.aggregate_id
         JOIN events other ON other.position > asked.position AND other.position < begun.position
         WHERE asked.aggregate_type = 'job' AND asked.aggregate_id = $1 AND asked.event_type = 'JobRequested'
           AND begun.event_type = 'JobStarted' AND other.event_type = 'JobStarted'",
    )
    .bind(job)
    .fetch_one(pool)
    .await
    .expect("a count")
}

/// Somebody submits a job, again and again, while others' wait: each has its turn soon.
async fn is_served(pool: &PgPool, person: &Person, job: &Value) {
    for _ in 0..3 {
        let submitted = person.job(job.clone()).await;
        let done = person.finished(&submitted).await;
        assert_eq!(done["status"], "completed", "{done}");
        let others = overtaken_by(pool, &submitted).await;
        assert!(others <= TURNS, "{others} others came first: {done}");
    }
}

/// Waits until some of the many have run.
async fn are_under_way(pool: &PgPool) {
    eventually("some have run", async || {
        let started = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'JobSucceeded'");
        let started: i64 = started.fetch_one(pool).await.expect("a count");
        started >= 3
    })
    .await;
}

async fn still_wait(person: &Person) {
    let waiting = person.get("/jobs?status=pending&limit=1").await.is(200);
    assert_eq!(waiting.items().len(), 1, "nobody was in the way");
}

#[tokio::test]
async fn an_organization_with_many_jobs_delays_anothers_by_a_turn() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (apollo, gemini) = (ada.project("Apollo").await, grace.project("Gemini").await);
    // However urgent they are.
    submit_many(&ada, &with(bash("true"), json!({"project_id": apollo, "priority": 1}))).await;
    let pool = world.pool().await;
    let _worker = world.worker_with(&[("WORKROOM_WORKER_SLOTS", "1")]).await;
    are_under_way(&pool).await;
    is_served(&pool, &grace, &with(bash("true"), json!({"project_id": gemini, "priority": 5}))).await;
    // Without a project, it is the account's turn.
    is_served(&pool, &grace, &bash("true")).await;
    still_wait(&ada).await;
}

#[tokio::test]
async fn the_fairness_keys_of_an_organization_take_turns() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    submit_many(&ada, &with(bash("true"), json!({"project_id": apollo, "fairness_key": "bulk", "priority": 1}))).await;
    let pool = world.pool().await;
    let _worker = world.worker_with(&[("WORKROOM_WORKER_SLOTS", "1")]).await;
    are_under_way(&pool).await;
    for more in [
        json!({"project_id": apollo, "fairness_key": "desk"}),
        json!({"project_id": gemini, "fairness_key": "desk"}),
        json!({"project_id": apollo}),
    ] {
        is_served(&pool, &ada, &with(bash("true"), more)).await;
    }
    still_wait(&ada).await;
}
