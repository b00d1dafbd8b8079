//! What is left of the jobs of erased accounts, deactivated accounts, deleted projects and deleted organizations.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    lifecycle::{bash, with},
    sandbox::{alive, unique},
};
use crate::support::{Person, World, eventually};

/// Erases the account.
async fn erase(person: &Person) {
    let password = json!({"password": person.password}).to_string();
    person.send(Method::DELETE, "/auth/me", Some(password)).await.is(204);
}

/// A job that waits for a time that does not come.
fn waiting() -> Value {
    with(bash("echo never"), json!({"run_at": "2100-01-01T00:00:00Z"}))
}

/// Why a job was ended, each time, straight from the log.
async fn reasons(pool: &PgPool, job: &str) -> Vec<String> {
    let asked = "SELECT payload->>'reason' FROM events
                 WHERE aggregate_type = 'job' AND aggregate_id = $1 AND event_type = 'JobCancelled' ORDER BY sequence";
    sqlx::query_scalar(asked).bind(job).fetch_all(pool).await.expect("events")
}

/// How many rows are kept of a job outside the log.
async fn kept(pool: &PgPool, job: &str) -> i64 {
    let asked = "SELECT (SELECT count(*) FROM job_inputs WHERE job_id = $1::uuid)
                      + (SELECT count(*) FROM job_output_pieces WHERE job_id = $1::uuid)
                      + (SELECT count(*) FROM job_artifacts WHERE job_id = $1::uuid)
                      + (SELECT count(*) FROM job_progress WHERE job_id = $1::uuid)";
    sqlx::query_scalar(asked).bind(job).fetch_one(pool).await.expect("a count")
}

/// How many rows of a job's output are kept.
async fn printed(pool: &PgPool, job: &str) -> i64 {
    let asked = "SELECT count(*) FROM job_output_pieces WHERE job_id = $1::uuid";
    sqlx::query_scalar(asked).bind(job).fetch_one(pool).await.expect("a count")
}

/// Waits until what follows all that is in the log now was done.
pub async fn followed(pool: &PgPool) {
    let head: i64 = sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(pool).await.expect("a position");
    eventually("what follows is done", async || {
        let asked = "SELECT position FROM reactor_checkpoints WHERE reactor = 'deletions'";
        sqlx::query_scalar::<_, i64>(asked).fetch_one(pool).await.expect("a position") >= head
    })
    .await;
}

/// Stores something of a job's latest attempt, by the functions by which its worker does.
pub async fn store_late(pool: &PgPool, job: &str, text: &str) {
    let stored: (i64, Option<i32>) = sqlx::query_as(
        "WITH started AS (
             SELECT (payload->>'worker_id')::uuid AS worker, (payload->>'attempt')::int AS attempt FROM events
             WHERE aggregate_type = 'job' AND aggregate_id = $1 AND event_type = 'JobStarted'
             ORDER BY sequence DESC LIMIT 1
         )
         SELECT cardinality(o.others)::bigint,
                store_job_artifacts(s.worker, $1::uuid, s.attempt, ARRAY['late.txt'], ARRAY[convert_to($2, 'UTF8')], 0)
         FROM started s CROSS JOIN LATERAL store_job_output(
             s.worker, ARRAY[$1::uuid], ARRAY[s.attempt], ARRAY[100000], ARRAY['stdout'], ARRAY[$2], 0) AS o",
    )
    .bind(job)
    .bind(text)
    .fetch_one(pool)
    .await
    .expect("a row");
    assert_eq!(stored, (0, Some(0)), "the attempt is not its worker's: the test proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_jobs_of_an_erased_account_end_and_jobs_of_projects_go_on() {
    let world = World::new().await;
    let server = world.server().await;
    let pool = world.pool().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = grace.project("Apollo").await;
    grace.invite(&project, &ada, "collaborator").await;
    let in_project = json!({"project_id": project});
    let marker = unique(5200);
    let running = ada.job(bash(&format!("echo begun; sleep {marker}"))).await;
    let still = ada.job(waiting()).await;
    let shared = ada.job(with(waiting(), in_project)).await;
    eventually("the program runs", async || alive(&marker)).await;
    eventually("it has printed", async || printed(&pool, &running).await > 0).await;
    erase(&ada).await;
    for job in [&running, &still] {
        eventually("its own job is over", async || reasons(&pool, job).await == ["account_erased"]).await;
    }
    eventually("the program is stopped", async || !alive(&marker)).await;
    followed(&pool).await;
    assert_eq!(kept(&pool, &running).await + kept(&pool, &still).await, 0);
    // What belongs to a project stays, whoever has submitted it.
    assert_eq!(grace.get(&format!("/jobs/{shared}")).await.is(200).json["status"], "pending");
    assert_eq!(kept(&pool, &shared).await, 1);
    grace.cancel(&shared).await.is(200);
    grace.retry(&shared).await.is(200);
    for command in [&["audit", "access"], &["projections", "verify"]] {
        let (proven, printed) = world.command(command).await;
        assert!(proven, "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_jobs_of_a_deactivated_account_end_and_may_be_done_again_when_it_is_open() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let pool = world.pool().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (job, other) = (ada.job(waiting()).await, grace.job(waiting()).await);
    let (done, text) = world.command(&["accounts", "deactivate", &ada.email]).await;
    assert!(done, "{text}");
    eventually("its own job is over", async || reasons(&pool, &job).await == ["account_deactivated"]).await;
    followed(&pool).await;
    assert!(reasons(&pool, &other).await.is_empty());
    let (done, text) = world.command(&["accounts", "reactivate", &ada.email]).await;
    assert!(done, "{text}");
    let credentials = json!({"email": ada.email, "password": ada.password});
    let tokens = server.client().post("/auth/login", credentials).await.is(200).json;
    let ada = server.client().with_token(tokens["access_token"].as_str().expect("a token"));
    let again = ada.send(Method::POST, &format!("/jobs/{job}/retry"), None).await.is(200);
    assert_eq!(again.json["status"], "pending", "{}", again.text);
    assert_eq!(kept(&pool, &job).await, 1, "what it works on was kept");
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_stores_behind_the_end_of_an_account_or_a_project_goes() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_WORKER_SLOTS", "4")]).await;
    let pool = world.pool().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = grace.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let doomed = grace.post("/projects", json!({"name": "Doomed", "organization_id": acme})).await.is(201).id();
    let stays = grace.project("Stays").await;
    let marker = unique(5300);
    let program = || bash(&format!("echo begun; sleep {marker}"));
    let own = ada.job(program()).await;
    let of_project = grace.job(with(program(), json!({"project_id": doomed}))).await;
    let of_other = grace.job(with(program(), json!({"project_id": stays}))).await;
    for job in [&own, &of_project, &of_other] {
        eventually("it has printed", async || printed(&pool, job).await > 0).await;
    }
    // An organization goes behind its projects, and so do their jobs.
    let organization = format!("/organizations/{acme}");
    grace.delete(&organization).await.refused("organization-not-empty");
    erase(&ada).await;
    grace.delete(&format!("/projects/{doomed}")).await.is(204);
    grace.delete(&organization).await.is(204);
    eventually("it is over", async || reasons(&pool, &own).await == ["account_erased"]).await;
    eventually("it is over", async || reasons(&pool, &of_project).await == ["project_deleted"]).await;
    followed(&pool).await;
    assert_eq!(kept(&pool, &own).await + kept(&pool, &of_project).await, 0);

    for job in [&own, &of_project, &of_other] {
        store_late(&pool, job, "late").await;
    }
    // Nobody has cleaned up for some time.
    for table in ["job_output_pieces", "job_artifacts"] {
        let age = format!("UPDATE {table} SET created_at = now() - interval '2 hours'");
        sqlx::query(&age).execute(&pool).await.expect("an update");
    }
    // The cleanup of a new process is due at once.
    let _second = world.server().await;
    for job in [&own, &of_project] {
        eventually("what came late is gone", async || kept(&pool, job).await == 0).await;
    }
    assert_eq!(kept(&pool, &of_other).await, 4, "what it works on, two pieces of output, and a file");
    grace.cancel(&of_other).await.is(200);
    eventually("the programs are stopped", async || !alive(&marker)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_outlives_its_account_however_close_they_come() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let pool = world.pool().await;
    for _ in 0..20 {
        let ada = server.person("ada").await;
        let submitting = (0..4).map(|_| ada.post("/jobs", waiting()));
        let (submitted, ()) = tokio::join!(futures::future::join_all(submitting), erase(&ada));
        assert!(submitted.iter().all(|reply| matches!(reply.status, 202 | 401)), "{:?}", submitted.first());
    }
    followed(&pool).await;
    let left: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM events r WHERE r.event_type = 'JobRequested' AND NOT EXISTS (
                     SELECT FROM events c WHERE c.aggregate_type = 'job' AND c.aggregate_id = r.aggregate_id
                       AND c.event_type = 'JobCancelled')),
                (SELECT count(*) FROM job_inputs)",
    )
    .fetch_one(&pool)
    .await
    .expect("counts");
    assert_eq!(left, (0, 0), "jobs that go on, and what they work on");
}
