//! The clocks of processes are wrong: what has to do with time goes by the clock of the database, which is one for all.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use workroom::clock::now;

use super::lifecycle::{bash, moment, with};
use crate::{
    organizations::organization,
    support::{Person, Server, World, eventually},
};

/// What makes the clock of a process wrong.
pub type Clock = [(&'static str, &'static str); 1];

/// The clock is an hour ahead.
pub const AHEAD: Clock = [("WORKROOM_DEVELOPMENT", r#"{"clock_wrong_by_seconds": 3600}"#)];
/// The clock is an hour behind.
pub const BEHIND: Clock = [("WORKROOM_DEVELOPMENT", r#"{"clock_wrong_by_seconds": -3600}"#)];

/// The clock is ten years ahead.
const YEARS_AHEAD: Clock = [("WORKROOM_DEVELOPMENT", r#"{"clock_wrong_by_seconds": 315360000}"#)];
/// The clock is ten years behind.
const YEARS_BEHIND: Clock = [("WORKROOM_DEVELOPMENT", r#"{"clock_wrong_by_seconds": -315360000}"#)];

/// Whether a field names a time near the present, by a clock that is right.
pub fn is_near(at: &Value) -> bool {
    (moment(at) - now()).abs() < Duration::from_mins(1)
}

async fn dispatcher(world: &World) -> Server {
    world.server_with(&["--roles", "scheduler"], &[]).await
}

/// Whether this holds for all of these jobs.
async fn all(ada: &Person, jobs: &[String], holds: impl Fn(&Value) -> bool) -> bool {
    for job in jobs {
        if !holds(&ada.get(&format!("/jobs/{job}")).await.is(200).json) {
            return false;
        }
    }
    true
}

/// Of each failure that another attempt followed: how long the pause was meant to be, and how long it was, in seconds.
async fn pauses(pool: &PgPool) -> Vec<(f64, f64)> {
    sqlx::query_as(
        "SELECT extract(epoch FROM (f.payload->>'retry_at')::timestamptz
                                   - (f.metadata->>'occurred_at')::timestamptz)::float8,
                extract(epoch FROM s.recorded_at - f.recorded_at)::float8
         FROM events f JOIN events s
              ON s.aggregate_type = 'job' AND s.aggregate_id = f.aggregate_id AND s.sequence = f.sequence + 1
         WHERE f.aggregate_type = 'job' AND f.event_type = 'JobAttemptFailed' AND s.event_type = 'JobStarted'",
    )
    .fetch_all(pool)
    .await
    .expect("pauses")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_tried_again_in_time_though_clocks_are_wrong_and_another_dispatches() {
    let world = World::new().await;
    let api = world.server_with(&["--roles", "api,live,projector,relay"], &AHEAD).await;
    let ada = api.person("ada").await;
    let mut dispatches = dispatcher(&world).await;
    for clock in [AHEAD, BEHIND] {
        let worker = world.worker_with(&clock).await;
        let given_up = ada.job(bash("exit 1")).await;
        assert_eq!(ada.finished(&given_up).await["status"], "failed");
        let fails = with(bash("exit 1"), json!({"max_attempts": 10}));
        let jobs = [ada.job(fails.clone()).await, ada.job(fails).await];
        eventually("each was tried", async || all(&ada, &jobs, |job| job["attempts"] != 0).await).await;
        dispatches.kill9().await;
        let retried = ada.retry(&given_up).await.is(200).json;
        assert!(is_near(&retried["next_attempt_at"]), "it is due by the clock of the API: {retried}");
        let waits = |job: &Value| job["status"] == "pending" && is_near(&job["next_attempt_at"]);
        eventually("each waits, and not for long", async || all(&ada, &jobs, waits).await).await;

        let mut before = Vec::new();
        for job in jobs.iter().chain([&given_up]) {
            let attempts = ada.get(&format!("/jobs/{job}")).await.is(200).json["attempts"].as_i64();
            before.push((job, attempts));
        }
        dispatches = dispatcher(&world).await;
        for (job, attempts) in before {
            let path = format!("/jobs/{job}");
            let tried_again = async || ada.get(&path).await.is(200).json["attempts"].as_i64() > attempts;
            eventually("it is tried again", tried_again).await;
        }
        for job in &jobs {
            ada.cancel(job).await.is(200);
        }
        assert!(worker.stop().await);
    }
    let pauses = pauses(&world.pool().await).await;
    assert!(pauses.len() >= 4, "{pauses:?}");
    let in_time = pauses.iter().all(|(meant, took)| (meant - 0.001..meant + 20.0).contains(took));
    assert!(in_time, "meant and taken: {pauses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_keys_end_in_time_though_the_clock_of_a_process_that_takes_jobs_is_ahead() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ahead = world.server_with(&["--roles", "api,live"], &AHEAD).await;
    let ada = server.person("ada").await;
    // What one of them signs is over, or not yet good, by the clock of the other. This is not signed.
    let token = ada.post("/auth/tokens", json!({"name": "both", "scopes": ["write"]})).await.is(201).json;
    let token = token["token"].as_str().expect("a token");
    let (here, there) = (server.client().with_token(token), ahead.client().with_token(token));

    let burst = json!({"type": "noop", "key": "index", "debounce_seconds": 1});
    let first = there.post("/jobs", burst.clone()).await.is(202);
    assert_eq!(moment(&first.json["run_at"]) - moment(&first.json["created_at"]), Duration::from_secs(1));
    assert!(is_near(&first.json["run_at"]), "{}", first.text);
    let last = here.post("/jobs", burst).await.is(202).id();
    let status = async |job: &str| here.get(&format!("/jobs/{job}")).await.is(200).json["status"].clone();
    eventually("the last of the burst is done", async || status(&last).await == "completed").await;
    assert_eq!(status(&first.id()).await, "cancelled");

    let unique = |seconds: u32| json!({"type": "noop", "key": "nightly", "unique_seconds": seconds});
    let first = there.post("/jobs", unique(1)).await.is(202).id();
    let again = async || here.post("/jobs", unique(600)).await;
    eventually("the time for which it is the only one ends", async || again().await.id() != first).await;
    let second = again().await.is(200).id();
    assert_eq!(there.post("/jobs", unique(600)).await.is(200).id(), second, "it ends no sooner by another clock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_done_again_does_not_wait_for_the_clock_of_a_database_that_is_behind_the_log() {
    let world = World::new().await;
    let api = world.server_with(&["--roles", "api,live,projector,relay"], &[]).await;
    let ada = api.person("ada").await;
    // As after a failover from a server whose clock was ahead: from here on, nothing is recorded before the last event.
    let ahead = "ALTER TABLE events DISABLE TRIGGER USER;
        UPDATE events SET recorded_at = now() + interval '1 hour' WHERE position = (SELECT max(position) FROM events);
        ALTER TABLE events ENABLE TRIGGER USER";
    sqlx::raw_sql(ahead).execute(&world.pool().await).await.expect("a change past the triggers");
    let dispatches = dispatcher(&world).await;
    let _worker = world.worker().await;
    let job = ada.job(bash("exit 1")).await;
    assert_eq!(ada.finished(&job).await["status"], "failed");
    dispatches.kill9().await;
    let retried = ada.retry(&job).await.is(200).json;
    assert!(moment(&retried["next_attempt_at"]) - now() > Duration::from_mins(30), "{retried}");
    let path = format!("/jobs/{job}");
    let attempts = async || ada.get(&path).await.is(200).json["attempts"].as_i64();
    let before = attempts().await;
    let _dispatches = dispatcher(&world).await;
    eventually("it is tried again", async || attempts().await > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jobs_leave_is_kept_as_long_as_was_settled_though_the_clocks_of_workers_are_wrong() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let acme = organization(&ada, "Acme").await;
    let body = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", body).await.is(201).id();
    let (mut long_over, mut just_over) = (Vec::new(), Vec::new());
    for clock in [YEARS_AHEAD, YEARS_BEHIND] {
        let worker = world.worker_with(&clock).await;
        for jobs in [&mut long_over, &mut just_over] {
            let job = ada.job(with(bash("echo printed"), json!({"project_id": project}))).await;
            let done = ada.finished(&job).await;
            let wrong_by = (moment(&done["completed_at"]) - now()).abs();
            assert!(wrong_by > Duration::from_secs(300_000_000), "its end is told by its worker's clock: {done}");
            jobs.push(job);
        }
        assert!(worker.stop().await);
    }
    // All that follows goes by the time that the log has.
    let near = "SELECT count(*) FROM views.jobs WHERE abs(extract(epoch FROM ended_at - now())) < 300";
    let near: i64 = sqlx::query_scalar(near).fetch_one(&pool).await.expect("a count");
    assert_eq!(near, 4);
    // All of it came long ago: the jobs had a time to wait for.
    for table in ["job_output_pieces", "job_inputs"] {
        let age = format!("UPDATE {table} SET created_at = now() - interval '41 days'");
        sqlx::query(&age).execute(&pool).await.expect("age");
    }
    for job in &long_over {
        let age = "UPDATE views.jobs SET ended_at = now() - interval '31 days' WHERE id = $1::uuid";
        sqlx::query(age).bind(job).execute(&pool).await.expect("age");
    }
    let days = json!({"job_output_days": 30, "job_code_days": 30});
    ada.put(&format!("/organizations/{acme}/retention"), days).await.is(200);
    // Each rule is due when a process begins.
    let _second = world.server_without_worker().await;
    for table in ["job_output_pieces", "job_inputs"] {
        let rows = async |job: &String| -> i64 {
            let count = format!("SELECT count(*) FROM {table} WHERE job_id = $1::uuid");
            sqlx::query_scalar(&count).bind(job).fetch_one(&pool).await.expect("a count")
        };
        for job in &long_over {
            eventually("it is gone", async || rows(job).await == 0).await;
        }
        for job in &just_over {
            assert_eq!(rows(job).await, 1, "{table}: it ended just now");
        }
    }
}
