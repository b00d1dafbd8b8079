//! Many jobs at once: cancelled, done again, deleted by one call.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    lifecycle::{bash, history, types, with},
    sandbox::{alive, unique},
};
use crate::{
    faults::load::assert_proved,
    support::{Person, World, eventually, within},
};

/// As many as nobody cancels by hand.
const MANY: usize = 3000;
/// A service that dispatches nothing, and runs no job at all.
const WITHOUT_JOBS: [&str; 2] = ["--roles", "api,live,projector,relay"];
/// What runs the service's own jobs, and no programs.
const SCHEDULER: [&str; 2] = ["--roles", "scheduler"];

/// A job that waits.
fn waits(more: Value) -> Value {
    with(json!({"type": "noop", "run_at": "2100-01-01T00:00:00Z"}), more)
}

async fn submit_many(person: &Person, job: &Value, count: usize) {
    let submitted = stream::iter(0..count).map(|_| person.job(job.clone()));
    assert_eq!(submitted.buffer_unordered(32).count().await, count);
}

/// Has something done with many jobs; returns what became of them.
async fn control(person: &Person, action: &str, filter: Value) -> Value {
    let job = person.post(&format!("/jobs/{action}"), filter).await.is(202);
    assert_eq!((&job.json["type"], &job.json["status"]), (&json!("job_control"), &json!("pending")), "{}", job.text);
    let done = person.finished(&job.id()).await;
    assert_eq!(done["status"], "completed", "{done}");
    done["result"]["control"].clone()
}

fn counts(matched: usize, changed: usize, refused: usize) -> Value {
    json!({"matched": matched, "changed": changed, "refused": refused})
}

/// How many jobs of this status somebody has submitted, as their list shows it.
async fn listed(person: &Person, query: &str) -> usize {
    person.get(&format!("/jobs?limit=100&{query}")).await.is(200).items().len()
}

async fn status(person: &Person, job: &str) -> Value {
    person.get(&format!("/jobs/{job}")).await.is(200).json["status"].clone()
}

/// How many events of a type somebody has caused, and in how many jobs.
async fn caused(pool: &PgPool, person: &Person, event_type: &str) -> (i64, i64) {
    sqlx::query_as(
        "SELECT count(*), count(DISTINCT aggregate_id) FROM events
         WHERE aggregate_type = 'job' AND event_type = $1 AND metadata->>'actor' = 'account:' || $2::text",
    )
    .bind(event_type)
    .bind(&person.id)
    .fetch_one(pool)
    .await
    .expect("counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_cancels_thousands_and_nothing_else() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let of_grace = grace.project("Mercury").await;
    submit_many(&ada, &waits(json!({"project_id": apollo, "fairness_key": "bulk"})), MANY).await;
    let program = ada.job(with(bash("true"), json!({"project_id": apollo, "fairness_key": "bulk"}))).await;
    let mut others = Vec::new();
    for more in [json!({"project_id": apollo}), json!({"project_id": gemini, "fairness_key": "bulk"}), json!({})] {
        others.push((&ada, ada.job(waits(more)).await));
    }
    for more in [json!({"project_id": of_grace, "fairness_key": "bulk"}), json!({"fairness_key": "bulk"})] {
        others.push((&grace, grace.job(waits(more)).await));
    }

    let filter = json!({"project_id": apollo, "status": "pending", "type": "noop", "fairness_key": "bulk"});
    assert_eq!(control(&ada, "cancel", filter.clone()).await, counts(MANY, MANY, 0));
    assert_eq!(status(&ada, &program).await, "pending", "it is of another type");
    for (person, job) in &others {
        assert_eq!(status(person, job).await, "pending");
    }
    let pool = world.pool().await;
    let many = i64::try_from(MANY).expect("a number");
    assert_eq!(caused(&pool, &ada, "JobCancelled").await, (many, many), "each once, in her name");
    assert_eq!(control(&ada, "cancel", filter).await, counts(0, 0, 0), "nothing is left");
    assert_eq!(caused(&pool, &ada, "JobCancelled").await, (many, many));
    assert_proved(&world, &pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_narrows_what_it_is_about() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let first = ada.post("/jobs", waits(json!({"key": "nightly"}))).await.is(202);
    let second = ada.post("/jobs", waits(json!({"project_id": project}))).await.is(202);
    let third = ada.post("/jobs", waits(json!({"fairness_key": "desk"}))).await.is(202);
    let at = &second.json["created_at"];
    for (filter, found) in [
        (json!({"status": "running"}), 0),
        (json!({"type": "code_execution"}), 0),
        (json!({"key": "weekly"}), 0),
        (json!({"fairness_key": "nightly"}), 0),
        (json!({"created_before": first.json["created_at"]}), 0),
        (json!({"created_after": third.json["created_at"]}), 0),
        (json!({"key": "nightly", "created_after": at}), 0),
        (json!({"key": "nightly", "created_before": at}), 1),
        (json!({"fairness_key": "desk", "type": "noop", "status": "pending", "created_after": at}), 1),
        // What she has submitted, wherever it belongs.
        (json!({}), 1),
    ] {
        assert_eq!(control(&ada, "cancel", filter.clone()).await, counts(found, found, 0), "{filter}");
    }
    assert_eq!(listed(&ada, "status=cancelled").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_is_done_again_and_what_is_over_deleted() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let in_project = json!({"project_id": project});
    let mut failed = Vec::new();
    for _ in 0..3 {
        failed.push(ada.job(with(bash("echo tried; exit 1"), in_project.clone())).await);
    }
    let good = ada.job(with(bash("echo done; mkdir artifacts; echo kept > artifacts/a"), in_project.clone())).await;
    let (cancelled, waiting) = (ada.job(waits(in_project.clone())).await, ada.job(waits(in_project.clone())).await);
    ada.cancel(&cancelled).await.is(200);
    for job in failed.iter().chain([&good]) {
        ada.finished(job).await;
    }

    let again = json!({"project_id": project, "status": "failed"});
    assert_eq!(control(&ada, "retry", again).await, counts(3, 3, 0));
    for job in &failed {
        let done = ada.finished(job).await;
        assert_eq!((&done["status"], &done["attempts"]), (&json!("failed"), &json!(2)), "{done}");
    }
    assert_eq!(status(&ada, &cancelled).await, "cancelled");
    assert_eq!(status(&ada, &good).await, "completed");

    ada.delete(&format!("/jobs/{waiting}")).await.refused("job-not-over");
    let gone = control(&ada, "delete", json!({"project_id": project, "type": "code_execution"})).await;
    assert_eq!(gone, counts(4, 4, 0));
    for job in failed.iter().chain([&good]) {
        for path in ["", "/logs", "/artifacts"] {
            ada.get(&format!("/jobs/{job}{path}")).await.refused("not-found");
        }
        ada.retry(job).await.refused("not-found");
        ada.cancel(job).await.refused("not-found");
        ada.delete(&format!("/jobs/{job}")).await.refused("not-found");
    }
    assert_eq!(listed(&ada, &format!("project_id={project}&type=code_execution")).await, 0);
    let pool = world.pool().await;
    let kept: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM job_inputs) + (SELECT count(*) FROM job_output_pieces)
              + (SELECT count(*) FROM job_artifacts)",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(kept, 0, "nothing is kept of what was deleted");
    let told = history(&ada, &project, &good).await;
    assert_eq!(types(&told), ["JobRequested", "JobStarted", "JobSucceeded", "JobDeleted"]);
    assert_eq!(told[3]["actor"], ada.id.as_str());
    assert_eq!(status(&ada, &waiting).await, "pending");

    // What runs is stopped.
    let marker = unique(5500);
    let runs = ada.job(with(bash(&format!("sleep {marker}")), in_project)).await;
    eventually("the program runs", async || alive(&marker)).await;
    let running = json!({"project_id": project, "status": "running"});
    assert_eq!(control(&ada, "cancel", running).await, counts(1, 1, 0));
    assert_eq!(ada.finished(&runs).await["status"], "cancelled");
    eventually("the program is dead", async || !alive(&marker)).await;
    assert_eq!(status(&ada, &waiting).await, "pending");

    // One by one, of the version that is meant.
    let one = format!("/jobs/{cancelled}");
    ada.with_header("if-match", "\"1\"").delete(&one).await.problem(412);
    let deleted = ada.delete(&one).await.is(204);
    assert_eq!(deleted.header("etag"), "\"3\"");
    ada.get(&one).await.refused("not-found");
    assert_proved(&world, &pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_over_it_another_goes_on_and_nothing_is_done_twice() {
    let world = World::new().await;
    let server = world.server_with(&WITHOUT_JOBS, &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    submit_many(&ada, &waits(json!({"project_id": project})), MANY).await;
    let job = ada.post("/jobs/cancel", json!({"project_id": project})).await.is(202).id();
    let pool = world.pool().await;
    let scheduler = world.server_with(&SCHEDULER, &[]).await;
    eventually("some are cancelled", async || caused(&pool, &ada, "JobCancelled").await.0 > 0).await;
    scheduler.kill9().await;
    let before = caused(&pool, &ada, "JobCancelled").await.0;
    let many = i64::try_from(MANY).expect("a number");
    assert!(before < many, "it was killed too late");

    let _scheduler = world.server_with(&SCHEDULER, &[]).await;
    within(Duration::from_secs(40), "it is through", async || status(&ada, &job).await == "completed").await;
    let done = ada.get(&format!("/jobs/{job}")).await.is(200).json;
    assert_eq!(done["result"]["control"], counts(MANY, MANY, 0), "of both attempts: {done}");
    assert_eq!(done["attempts"], 1, "an interruption is no attempt: {done}");
    assert_eq!(caused(&pool, &ada, "JobCancelled").await, (many, many));
    assert_eq!(listed(&ada, &format!("project_id={project}&status=pending")).await, 0);
    let told = history(&ada, &project, &job).await;
    let expected = ["JobRequested", "JobStarted", "JobInterrupted", "JobStarted", "JobSucceeded"];
    assert_eq!(types(&told), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cancelled_midway_changes_no_more() {
    const JOBS: usize = 1000;
    let world = World::new().await;
    let server = world.server_with(&WITHOUT_JOBS, &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    submit_many(&ada, &waits(json!({"project_id": project})), JOBS).await;
    let job = ada.post("/jobs/cancel", json!({"project_id": project})).await.is(202).id();
    let pool = world.pool().await;
    // In its one slot nothing begins before the work of what was there is over.
    let scheduler = world.server_with(&SCHEDULER, &[("WORKROOM_SERVICE_SLOTS", "1")]).await;
    eventually("some are cancelled", async || caused(&pool, &ada, "JobCancelled").await.0 > 0).await;
    let frozen = scheduler.freeze();
    assert_eq!(ada.cancel(&job).await.is(200).json["status"], "cancelled");
    drop(frozen);
    let next = ada.job(json!({"type": "noop"})).await;
    assert_eq!(ada.finished(&next).await["status"], "completed");
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM views.jobs WHERE status = 'pending'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert!(open > 0, "it went through all of them");
    let jobs = i64::try_from(JOBS).expect("a number");
    assert_eq!(caused(&pool, &ada, "JobCancelled").await.0, jobs - open + 1, "some of them, and the one that did it");
    assert_eq!(types(&history(&ada, &project, &job).await), ["JobRequested", "JobStarted", "JobCancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_used_up_what_may_wait_can_still_cancel_it() {
    let world = World::new().await;
    let limits = [("WORKROOM_OPEN_JOBS_PER_ACCOUNT", "3"), ("WORKROOM_OPEN_JOBS_PER_PROJECT", "3")];
    let server = world.server_with(&WITHOUT_JOBS, &limits).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    for _ in 0..3 {
        ada.job(waits(json!({"project_id": project}))).await;
    }
    ada.post("/jobs", waits(json!({}))).await.refused("too-many-jobs");
    let keyed = ada.with_header("idempotency-key", "cancel all");
    let job = keyed.post("/jobs/cancel", json!({"project_id": project})).await.is(202);
    let again = keyed.post("/jobs/cancel", json!({"project_id": project})).await.is(202);
    assert_eq!((again.id(), again.header("idempotent-replayed")), (job.id(), "true"));
    keyed.post("/jobs/delete", json!({"project_id": project})).await.problem(422);
    // One at a time.
    ada.post("/jobs/cancel", json!({})).await.refused("too-many-jobs");
    let _scheduler = world.server_with(&SCHEDULER, &limits).await;
    assert_eq!(ada.finished(&job.id()).await["result"]["control"], counts(3, 3, 0));
    assert_eq!(control(&ada, "cancel", json!({})).await, counts(0, 0, 0));
    // How many wait is looked up now and then.
    let again = async || ada.post("/jobs", waits(json!({"project_id": project}))).await.status == 202;
    eventually("there is room again", again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_account_one_runs_at_a_time_in_whatever_projects() {
    let world = World::new().await;
    let server = world.server_with(&WITHOUT_JOBS, &[]).await;
    let ada = server.person("ada").await;
    let mut asked = Vec::new();
    for name in ["Apollo", "Gemini"] {
        let project = ada.project(name).await;
        submit_many(&ada, &waits(json!({"project_id": project})), 300).await;
        asked.push(ada.post("/jobs/cancel", json!({"project_id": project})).await.is(202).id());
    }
    // Both are ready before anybody hands one out.
    let _scheduler = world.server_with(&SCHEDULER, &[]).await;
    for job in &asked {
        assert_eq!(ada.finished(job).await["result"]["control"], counts(300, 300, 0));
    }
    let pool = world.pool().await;
    let told: Vec<(String, String)> = sqlx::query_as(
        "SELECT event_type, aggregate_id FROM events
         WHERE aggregate_type = 'job' AND aggregate_id = ANY($1) AND event_type <> 'JobRequested' ORDER BY position",
    )
    .bind(&asked)
    .fetch_all(&pool)
    .await
    .expect("events");
    let told_types: Vec<&str> = told.iter().map(|(event_type, _)| event_type.as_str()).collect();
    assert_eq!(told_types, ["JobStarted", "JobSucceeded", "JobStarted", "JobSucceeded"], "{told:?}");
    assert!(told[0].1 == told[1].1 && told[2].1 == told[3].1 && told[0].1 != told[2].1, "two at a time: {told:?}");
    let keys: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT aggregate_id) FROM events
         WHERE aggregate_type = 'job_key' AND event_type = 'JobKeyGranted'",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(keys, 1, "the key is the account's");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_run_jobs_there_has_it_done() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (viewer, stranger) = (server.person("vera").await, server.person("sam").await);
    let organization = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    for member in [&grace, &viewer] {
        let body = json!({"email": member.email, "role": "member"});
        ada.post(&format!("/organizations/{organization}/members"), body).await.is(201);
    }
    let body = json!({"name": "Apollo", "organization_id": organization});
    let project = ada.post("/projects", body).await.is(201).id();
    ada.invite(&project, &grace, "collaborator").await;
    ada.invite(&project, &viewer, "viewer").await;
    let job = ada.job(waits(json!({"project_id": project}))).await;
    let own = ada.job(waits(json!({}))).await;
    for action in ["cancel", "retry", "delete"] {
        let path = format!("/jobs/{action}");
        viewer.post(&path, json!({"project_id": project})).await.refused("forbidden");
        stranger.post(&path, json!({"project_id": project})).await.refused("not-found");
        for member in [&grace, &viewer] {
            member.post(&path, json!({"organization_id": organization})).await.refused("forbidden");
        }
        stranger.post(&path, json!({"organization_id": organization})).await.refused("not-found");
        server.client().post(&path, json!({})).await.problem(401);
    }
    for other in [&grace, &viewer, &stranger] {
        assert_eq!(control(other, "cancel", json!({})).await, counts(0, 0, 0), "they have submitted none");
    }
    assert_eq!((status(&ada, &job).await, status(&ada, &own).await), (json!("pending"), json!("pending")));
    assert_eq!(control(&grace, "cancel", json!({"project_id": project})).await, counts(1, 1, 0));
    assert_eq!(control(&ada, "retry", json!({"organization_id": organization})).await, counts(1, 1, 0));
    assert_eq!(status(&ada, &own).await, "pending", "it belongs to no project");

    let again = ada.job(waits(json!({"project_id": project}))).await;
    viewer.delete(&format!("/jobs/{again}")).await.refused("forbidden");
    for other in [&grace, &viewer, &stranger] {
        other.delete(&format!("/jobs/{own}")).await.refused("not-found");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let server = world.server_with(&WITHOUT_JOBS, &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let both = json!({"project_id": project, "organization_id": project});
    for (action, filter, pointer, code) in [
        ("cancel", json!({"status": "completed"}), "/status", "invalid-value"),
        ("retry", json!({"status": "completed"}), "/status", "invalid-value"),
        ("delete", json!({"status": "running"}), "/status", "invalid-value"),
        ("cancel", both, "/organization_id", "invalid-value"),
        ("cancel", json!({"key": ""}), "/key", "empty"),
    ] {
        ada.post(&format!("/jobs/{action}"), filter).await.refused_field(pointer, code);
    }
    ada.post("/jobs", json!({"type": "job_control"})).await.refused_field("/type", "invalid-value");
    let reserved = waits(json!({"key": format!("job_control:{}", ada.id)}));
    ada.post("/jobs", reserved).await.refused_field("/key", "invalid-value");
}
