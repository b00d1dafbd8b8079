//! Jobs: what they print and leave once something was redacted, and how long it is kept.

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{are_gone, dump, events, has, redact};
use crate::{
    jobs::{
        lifecycle::{bash, with},
        sandbox::unique,
    },
    organizations::organization,
    support::{World, eventually},
};

/// How many rows of a table are kept of a job.
async fn rows(pool: &PgPool, table: &str, job: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table} WHERE job_id = $1::uuid");
    sqlx::query_scalar(&count).bind(job).fetch_one(pool).await.expect("a count")
}

/// Has what a job says and leaves stored as its worker would; whether the output and the file were passed over.
async fn store(pool: &PgPool, worker: Uuid, job: Uuid, attempt: i32, text: &str) -> Result<(bool, bool), sqlx::Error> {
    sqlx::query("SELECT store_job_progress($1, ARRAY[$2], ARRAY[$3], ARRAY[5::float8], ARRAY[$4])")
        .bind(worker)
        .bind(job)
        .bind(attempt)
        .bind(text)
        .execute(pool)
        .await?;
    let others: Vec<Uuid> = sqlx::query_scalar(
        "SELECT others FROM store_job_output($1, ARRAY[$2], ARRAY[$3], ARRAY[100000], ARRAY['stdout'], ARRAY[$4], 0)",
    )
    .bind(worker)
    .bind(job)
    .bind(attempt)
    .bind(text)
    .fetch_one(pool)
    .await?;
    let dropped: Option<i32> = sqlx::query_scalar(
        "SELECT store_job_artifacts($1, $2, $3, ARRAY['late.txt'], ARRAY[convert_to($4, 'UTF8')], 0)",
    )
    .bind(worker)
    .bind(job)
    .bind(attempt)
    .bind(text)
    .fetch_one(pool)
    .await?;
    Ok((others == [job], dropped.is_none()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_redacted_once_it_is_over_and_what_it_prints_then_is_not_kept() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let job = ada.job(bash(&format!("echo canary-printed; sleep {}", unique(5300)))).await;
    eventually("it has printed", async || rows(&pool, "job_output_pieces", &job).await > 0).await;
    let [requested]: [Value; 1] = events(&ada, "/auth/me", "JobRequested").await.try_into().expect("one job");
    let refused = redact(&ada, "/auth/me", &requested["seq"]).await.refused("job-not-over");
    assert!(refused.text.contains("running"), "{}", refused.text);
    assert!(has(&dump(&pool).await, "canary-printed"), "nothing is redacted by halves");
    ada.cancel(&job).await.is(200);
    redact(&ada, "/auth/me", &requested["seq"]).await.is(201);

    let worker: Uuid = sqlx::query_scalar(
        "SELECT (payload->>'worker_id')::uuid FROM events WHERE aggregate_id = $1 AND event_type = 'JobStarted'",
    )
    .bind(&job)
    .fetch_one(&pool)
    .await
    .expect("a worker");
    let late = store(&pool, worker, job.parse().expect("an id"), 1, "canary-late").await.expect("an answer");
    assert_eq!(late, (true, true));
    are_gone(&pool, &["canary-printed", "canary-late"]).await;

    // What was stored without asking goes, whenever that was: each rule is due when a process begins.
    sqlx::query(
        "INSERT INTO job_output_pieces (job_id, attempt, seq, stream, text, created_at)
         VALUES ($1::uuid, 1, 200000, 'stdout', 'canary-unasked', now() - interval '2 hours')",
    )
    .bind(&job)
    .execute(&pool)
    .await
    .expect("a row");
    let _second = world.server_without_worker().await;
    are_gone(&pool, &["canary-unasked"]).await;
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json["status"], "cancelled");
}

/// Whoever runs the jobs that are written into the log by hand.
const WORKER: Uuid = Uuid::from_u128(7);

/// Writes an event into the log, behind all others.
async fn plant(pool: &PgPool, feed: Uuid, (kind, id): (&str, Uuid), event: &str, payload: Value) {
    sqlx::query(
        "INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence,
                             event_type, event_version, payload, metadata, recorded_at)
         SELECT COALESCE(max(position), 0) + 1, gen_random_uuid(), $1,
                COALESCE(max(feed_seq) FILTER (WHERE feed_id = $1), 0) + 1, $2, $3,
                COALESCE(max(sequence) FILTER (WHERE aggregate_id = $3), 0) + 1, $4, '1', $5::text::json, '{}', now()
         FROM events",
    )
    .bind(feed)
    .bind(kind)
    .bind(id.to_string())
    .bind(event)
    .bind(payload.to_string())
    .execute(pool)
    .await
    .expect("an event");
}

async fn plant_start(pool: &PgPool, feed: Uuid, job: Uuid, attempt: i32) {
    plant(pool, feed, ("job", job), "JobStarted", json!({"attempt": attempt, "worker_id": WORKER})).await;
}

#[tokio::test]
async fn a_redaction_takes_no_job_away_and_ends_what_an_attempt_may_store() {
    let world = World::new().await;
    let pool = world.pool().await;
    let (feed, job) = (Uuid::now_v7(), Uuid::now_v7());
    plant(&pool, feed, ("job", job), "JobRequested", json!({"job_type": "noop", "submitted_by": feed})).await;
    plant_start(&pool, feed, job, 1).await;
    assert_eq!(store(&pool, WORKER, job, 1, "before").await.expect("an answer"), (false, false));
    // As it was possible once, while the job runs.
    plant(&pool, feed, ("job", job), "PayloadRedacted", json!({"position": 1})).await;
    let taken: Vec<Uuid> = sqlx::query_scalar("SELECT taken_jobs($1, ARRAY[$2], ARRAY[1])")
        .bind(WORKER)
        .bind(job)
        .fetch_all(&pool)
        .await
        .expect("an answer");
    assert!(taken.is_empty(), "its worker would stop it, and say nothing");
    assert_eq!(store(&pool, WORKER, job, 1, "behind").await.expect("an answer"), (true, true));
    // An attempt that starts now knows nothing of the text.
    plant_start(&pool, feed, job, 2).await;
    assert_eq!(store(&pool, WORKER, job, 2, "anew").await.expect("an answer"), (false, false));
    assert_eq!(rows(&pool, "job_output_pieces", &job.to_string()).await, 2);
}

#[tokio::test]
async fn an_export_that_runs_keeps_nothing_of_what_was_redacted_since_it_began() {
    let world = World::new().await;
    let pool = world.pool().await;
    let (feed, job) = (Uuid::now_v7(), Uuid::now_v7());
    plant(&pool, feed, ("job", job), "JobRequested", json!({"job_type": "project_export", "submitted_by": feed})).await;
    plant_start(&pool, feed, job, 1).await;
    plant(&pool, Uuid::now_v7(), ("task", Uuid::now_v7()), "PayloadRedacted", json!({"position": 1})).await;
    assert_eq!(store(&pool, WORKER, job, 1, "first").await.expect("an answer"), (false, false), "another project's");
    plant(&pool, feed, ("task", Uuid::now_v7()), "PayloadRedacted", json!({"position": 1})).await;
    let error = store(&pool, WORKER, job, 1, "second").await.expect_err("it has read what is redacted now");
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    assert_eq!(code, "WR003", "its worker knows by this that it has to begin anew");
    plant_start(&pool, feed, job, 2).await;
    assert_eq!(store(&pool, WORKER, job, 2, "third").await.expect("an answer"), (false, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exports_left_goes_with_a_redaction_in_their_project() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let export = async |project: &str| {
        let job = ada.job(json!({"type": "project_export", "project_id": project})).await;
        let done = ada.finished(&job).await;
        assert_eq!(done["result"]["artifacts"].as_array().expect("files").len(), 1, "{done}");
        job
    };
    let feed = format!("/projects/{apollo}");
    ada.post(&format!("{feed}/tasks"), json!({"title": "canary-title"})).await.is(201);
    let (job, other) = (export(&apollo).await, export(&gemini).await);
    let [created]: [Value; 1] = events(&ada, &feed, "TaskCreated").await.try_into().expect("one task");
    redact(&ada, &feed, &created["seq"]).await.is(201);
    assert_eq!(rows(&pool, "job_artifacts", &job).await, 0);
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json["result"]["artifacts"], json!([]));
    assert_eq!(rows(&pool, "job_artifacts", &other).await, 1, "another project's");
    // So does what was made since.
    let since = export(&apollo).await;
    assert_eq!(rows(&pool, "job_artifacts", &since).await, 1);
    let [created]: [Value; 1] = events(&ada, &feed, "ProjectCreated").await.try_into().expect("one project");
    redact(&ada, &feed, &created["seq"]).await.is(201);
    assert_eq!(rows(&pool, "job_artifacts", &since).await, 0);
    assert_eq!(rows(&pool, "job_artifacts", &other).await, 1, "another project's");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_count_from_the_end_of_a_job() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let acme = organization(&ada, "Acme").await;
    let body = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", body).await.is(201).id();
    let run = async || {
        let job = ada.job(with(bash("echo printed"), json!({"project_id": project}))).await;
        ada.finished(&job).await;
        job
    };
    let (long_over, just_over, begun_again) = (run().await, run().await, run().await);
    // All of it came long ago: the jobs had a time to wait for.
    for table in ["job_output_pieces", "job_inputs"] {
        let age = format!("UPDATE {table} SET created_at = now() - interval '41 days'");
        sqlx::query(&age).execute(&pool).await.expect("an update");
    }
    // The last one's view lags: the log has an event more.
    for (job, lag) in [(&long_over, 0), (&begun_again, 1)] {
        let end = "UPDATE views.jobs SET ended_at = now() - interval '31 days', version = version - $2
                   WHERE id = $1::uuid";
        sqlx::query(end).bind(job).bind(i64::from(lag)).execute(&pool).await.expect("an update");
    }
    let days = json!({"job_output_days": 30, "job_code_days": 30});
    ada.put(&format!("/organizations/{acme}/retention"), days).await.is(200);
    // Each rule is due when a process begins.
    let _second = world.server_without_worker().await;
    for table in ["job_output_pieces", "job_inputs"] {
        eventually("it is gone", async || rows(&pool, table, &long_over).await == 0).await;
        assert_eq!(rows(&pool, table, &just_over).await, 1, "{table}: it ended just now");
        assert_eq!(rows(&pool, table, &begun_again).await, 1, "{table}: nobody knows whether it is over");
    }
}
