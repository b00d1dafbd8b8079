//! `POST /jobs/{job_id}/retry` and `/jobs/retry` of jobs whose programs are gone.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};

use super::lifecycle::{bash, history, types, with};
use crate::support::{Person, World, eventually};

/// Roles that leave all programs waiting.
const ROLES: [&str; 2] = ["--roles", "api,live,projector,relay,scheduler"];

/// A program that was cancelled before it began.
async fn cancelled(person: &Person, project: &str) -> String {
    let job = person.job(with(bash("echo again"), json!({"project_id": project}))).await;
    person.cancel(&job).await.is(200);
    job
}

/// How many programs are kept of a job.
async fn programs(pool: &PgPool, job: &str) -> i64 {
    let count = "SELECT count(*) FROM job_inputs WHERE job_id = $1::uuid";
    sqlx::query_scalar(count).bind(job).fetch_one(pool).await.expect("a count")
}

async fn status(person: &Person, job: &str) -> Value {
    person.get(&format!("/jobs/{job}")).await.is(200).json["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_program_is_gone_is_not_done_again() {
    let world = World::new().await;
    let server = world.server_with(&ROLES, &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (redacted, deleted) = (cancelled(&ada, &project).await, cancelled(&ada, &project).await);
    let kept = cancelled(&ada, &project).await;
    let noop = ada.job(json!({"type": "noop", "project_id": project, "run_at": "2100-01-01T00:00:00Z"})).await;
    ada.cancel(&noop).await.is(200);

    let requested = history(&ada, &project, &redacted).await[0]["seq"].clone();
    let redact = format!("/projects/{project}/events/{requested}/redact");
    ada.post(&redact, json!({"reason": "It named a customer."})).await.is(201);
    // Its time is over just now: who asks in this moment waits for what becomes of it.
    let mut deleting = PgConnection::connect(&world.database_url).await.expect("a connection");
    let delete = format!("BEGIN; DELETE FROM job_inputs WHERE job_id = '{deleted}'");
    sqlx::raw_sql(&delete).execute(&mut deleting).await.expect("a deletion");
    let pool = world.pool().await;
    let done = async {
        eventually("it waits for the deletion", async || {
            let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                                          AND wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple'))";
            sqlx::query_scalar::<_, bool>(waiting).fetch_one(&pool).await.expect("whether it waits")
        })
        .await;
        sqlx::query("COMMIT").execute(&mut deleting).await.expect("a commit");
    };
    let (refused, ()) = tokio::join!(ada.retry(&deleted), done);
    refused.refused("job-input-gone");
    for job in [&redacted, &deleted] {
        assert_eq!(ada.retry(job).await.refused("job-input-gone").status, 409);
    }

    let many = ada.post("/jobs/retry", json!({"project_id": project})).await.is(202).id();
    let many = ada.finished(&many).await;
    assert_eq!(many["result"]["control"], json!({"matched": 4, "changed": 2, "refused": 2}), "{many}");
    for (job, expected) in [
        (&redacted, &["JobRequested", "JobCancelled", "PayloadRedacted"][..]),
        (&deleted, &["JobRequested", "JobCancelled"][..]),
        (&kept, &["JobRequested", "JobCancelled", "JobRedriven"][..]),
    ] {
        assert_eq!(types(&history(&ada, &project, job).await), expected);
    }
    assert_eq!((status(&ada, &deleted).await, status(&ada, &kept).await), (json!("cancelled"), json!("pending")));
    assert_eq!(ada.finished(&noop).await["status"], "completed", "it needs no program");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_of_a_job_that_is_done_again_is_kept_for_as_long_again() {
    let world = World::new().await;
    let server = world.server_with(&ROLES, &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (old, again) = (cancelled(&ada, &project).await, cancelled(&ada, &project).await);
    let pool = world.pool().await;
    let age = "UPDATE job_inputs SET created_at = now() - interval '31 days'";
    sqlx::query(age).execute(&pool).await.expect("an update");
    ada.retry(&again).await.is(200);
    // A view that lags does not show yet that it is done again.
    let lag = "UPDATE views.jobs SET status = 'cancelled' WHERE id = $1::uuid";
    sqlx::query(lag).bind(&again).execute(&pool).await.expect("an update");
    // Each rule of the cleanup is due when a process begins.
    let _second = world.server_with(&ROLES, &[("WORKROOM_JOB_DATA_DAYS", "30")]).await;
    eventually("what is old is gone", async || programs(&pool, &old).await == 0).await;
    assert_eq!(programs(&pool, &again).await, 1, "the job would fail without it");
}
