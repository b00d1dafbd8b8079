//! What becomes of a job over its attempts: failures and pauses, cancellation, and being done again.

use std::time::Duration;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use workroom::clock::now;

use super::sandbox::{alive, unique};
use crate::support::{Person, World, eventually, within};

/// A program in Bash.
pub fn bash(code: &str) -> Value {
    json!({"language": "bash", "code": code})
}

/// The same job, with these further fields.
pub fn with(mut job: Value, more: Value) -> Value {
    for (field, value) in more.as_object().expect("fields") {
        job[field] = value.clone();
    }
    job
}

/// The moment that a field names.
pub fn moment(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().expect("a time"), &Rfc3339).expect("RFC 3339")
}

/// The events of a job, as the feed of its project tells them.
pub async fn history(person: &Person, project: &str, job: &str) -> Vec<Value> {
    let events = person.history(project).await;
    events.into_iter().filter(|event| event["aggregate_id"] == job).collect()
}

/// The types of events.
pub fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn a_job_that_fails_is_tried_as_often_as_asked_with_pauses_and_given_up() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let asked = json!({"max_attempts": 3, "project_id": project});
    let job = ada.job(with(bash("echo tried; exit 7"), asked)).await;
    let path = format!("/jobs/{job}");
    eventually("the last attempt has failed", async || {
        let seen = ada.get(&path).await.is(200).json;
        let waits = seen["status"] == "pending";
        assert_eq!(seen["next_attempt_at"].is_string(), waits, "{seen}");
        seen["status"] == "failed"
    })
    .await;
    let failed = ada.get(&path).await.is(200).json;
    assert_eq!((&failed["attempts"], &failed["max_attempts"]), (&json!(3), &json!(3)), "{failed}");
    assert_eq!((&failed["result"]["exit_code"], &failed["result"]["stdout"]), (&json!(7), &json!("tried\n")));
    assert!(failed["completed_at"].is_string(), "{failed}");

    let events = history(&ada, &project, &job).await;
    let expected = [
        "JobRequested",
        "JobStarted",
        "JobAttemptFailed",
        "JobStarted",
        "JobAttemptFailed",
        "JobStarted",
        "JobAttemptFailed",
        "JobDeadLettered",
    ];
    assert_eq!(types(&events), expected);
    // At random up to a ceiling, which doubles from a second.
    for (failure, next, ceiling) in [(&events[2], &events[3], 1), (&events[4], &events[5], 2)] {
        let retry_at = moment(&failure["data"]["retry_at"]);
        let latest = moment(&failure["occurred_at"]) + Duration::from_secs(ceiling);
        assert!(retry_at <= latest, "a pause of more than {ceiling} s: {failure}");
        assert!(moment(&next["occurred_at"]) >= retry_at, "tried too early: {failure} {next}");
    }
    assert_eq!(events[6]["data"]["retry_at"], Value::Null);
}

#[tokio::test]
async fn a_job_waits_for_its_time_and_starts_then() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let noop_at = async |at: OffsetDateTime| {
        let job = json!({"type": "noop", "run_at": at.format(&Rfc3339).expect("a time")});
        ada.post("/jobs", job).await.is(202)
    };
    let mut jobs = Vec::new();
    for wait in [1000, 1200, 1400, 1600, 1800] {
        let at = now() + Duration::from_millis(wait);
        let reply = noop_at(at).await;
        assert_eq!((moment(&reply.json["run_at"]), moment(&reply.json["next_attempt_at"])), (at, at));
        jobs.push((reply.id(), at));
    }
    let mut delays = Vec::new();
    for (job, at) in &jobs {
        let waiting = ada.get(&format!("/jobs/{job}")).await.is(200).json;
        if now() < *at {
            assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("pending"), &json!(0)), "{waiting}");
            assert_eq!((moment(&waiting["run_at"]), moment(&waiting["next_attempt_at"])), (*at, *at));
        }
        let done = ada.finished(job).await;
        assert_eq!(done["status"], "completed", "{done}");
        let delay = moment(&done["started_at"]) - *at;
        assert!(!delay.is_negative(), "started too early: {done}");
        delays.push(delay);
    }
    delays.sort();
    // A busy machine may hold up one of them.
    assert!(delays[2] < Duration::from_millis(300), "started too late: {delays:?}");

    let past = noop_at(now() - Duration::from_secs(3600)).await.id();
    assert_eq!(ada.finished(&past).await["status"], "completed", "what is past is done at once");
}

#[tokio::test]
async fn what_has_failed_or_was_cancelled_is_done_again_when_somebody_asks() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let bad = ada.job(with(bash("exit 7"), json!({"max_attempts": 2, "project_id": project}))).await;
    let worker = world.worker().await;
    let failed = ada.finished(&bad).await;
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(2)), "{failed}");
    ada.cancel(&bad).await.refused("job-over");
    assert!(worker.stop().await);

    let good = ada.job(with(bash("echo done"), json!({"project_id": project}))).await;
    ada.retry(&good).await.refused("job-not-over");
    let cancelled = ada.cancel(&good).await.is(200).json;
    for (job, before) in [(&bad, &failed), (&good, &cancelled)] {
        let reply = ada.retry(job).await.is(200);
        assert_eq!(reply.json["status"], "pending", "{}", reply.text);
        assert_eq!(reply.json["version"].as_i64(), before["version"].as_i64().map(|version| version + 1));
        assert_eq!(reply.header("etag"), format!("\"{}\"", reply.json["version"]));
        assert!(reply.position() > 0);
        assert!(reply.json["next_attempt_at"].is_string() && reply.json["completed_at"].is_null(), "{}", reply.text);
        ada.retry(job).await.refused("job-not-over");
    }

    let _worker = world.worker().await;
    let failed = ada.finished(&bad).await;
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(4)), "all attempts again: {failed}");
    let try_twice = ["JobStarted", "JobAttemptFailed", "JobStarted", "JobAttemptFailed", "JobDeadLettered"];
    let expected = [&["JobRequested"][..], &try_twice[..], &["JobRedriven"][..], &try_twice[..]].concat();
    let events = history(&ada, &project, &bad).await;
    assert_eq!(types(&events), expected);
    assert_eq!(events[6]["actor"], ada.id.as_str());

    let done = ada.finished(&good).await;
    assert_eq!((&done["status"], &done["result"]["stdout"]), (&json!("completed"), &json!("done\n")), "{done}");
    ada.retry(&good).await.refused("job-completed");
    ada.cancel(&good).await.refused("job-over");
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_it_waits_never_runs() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let in_project = json!({"project_id": project});
    let job = ada.job(with(bash("echo never"), in_project.clone())).await;
    let reply = ada.cancel(&job).await.is(200);
    assert_eq!((&reply.json["status"], &reply.json["attempts"]), (&json!("cancelled"), &json!(0)), "{}", reply.text);
    assert!(reply.json["completed_at"].is_string(), "{}", reply.text);
    for field in ["started_at", "next_attempt_at", "result"] {
        assert_eq!(reply.json[field], Value::Null, "{field}");
    }
    assert_eq!(reply.header("etag"), format!("\"{}\"", reply.json["version"]));
    assert_eq!(ada.cancel(&job).await.is(200).json, reply.json, "a second time changes nothing");
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json, reply.json);

    let later = ada.job(with(bash("true"), in_project)).await;
    let _worker = world.worker().await;
    assert_eq!(ada.finished(&later).await["status"], "completed");
    let events = history(&ada, &project, &job).await;
    assert_eq!(types(&events), ["JobRequested", "JobCancelled"]);
    assert_eq!((&events[1]["data"]["reason"], &events[1]["actor"]), (&json!("requested"), &json!(ada.id)));
    let listed = ada.get("/jobs?status=cancelled").await.is(200);
    assert_eq!(listed.items().iter().map(|job| &job["id"]).collect::<Vec<_>>(), [&json!(job)]);
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_it_runs_is_stopped() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_WORKER_SLOTS", "1")]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let in_project = json!({"project_id": project});
    let marker = unique(5100);
    let code = format!("echo begun; sleep {marker}");
    let job = ada.job(with(bash(&code), in_project.clone())).await;
    eventually("the program runs", async || alive(&marker)).await;
    let reply = ada.cancel(&job).await.is(200);
    assert_eq!(reply.json["status"], "cancelled", "{}", reply.text);
    let took = within(Duration::from_secs(2), "the program is dead", async || !alive(&marker)).await;
    eprintln!("dead {took:?} after the reply");
    // The attempt has no outcome, but what it printed is kept.
    let pool = world.pool().await;
    eventually("the output is kept", async || {
        let printed = "SELECT text FROM job_output_pieces WHERE job_id = $1::uuid AND stream = 'stdout'";
        let kept: Vec<String> = sqlx::query_scalar(printed).bind(&job).fetch_all(&pool).await.expect("pieces");
        kept.concat() == "begun\n"
    })
    .await;
    // It leaves its slot to others, and nothing is told of it any more.
    let next = ada.job(with(bash("true"), in_project)).await;
    assert_eq!(ada.finished(&next).await["status"], "completed");
    let shown = ada.get(&format!("/jobs/{job}")).await.is(200).json;
    assert_eq!((&shown["status"], &shown["attempts"]), (&json!("cancelled"), &json!(1)), "{shown}");
    assert!(shown["started_at"].is_string() && shown["result"].is_null(), "{shown}");
    assert_eq!(types(&history(&ada, &project, &job).await), ["JobRequested", "JobStarted", "JobCancelled"]);
}

#[tokio::test]
async fn jobs_of_a_deleted_project_are_over_for_good() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let later = json!({"type": "noop", "project_id": project, "run_at": "2100-01-01T00:00:00Z"});
    let (cancelled, waiting) = (ada.job(later.clone()).await, ada.job(later).await);
    ada.cancel(&cancelled).await.is(200);
    ada.delete(&format!("/projects/{project}")).await.is(204);
    for job in [&cancelled, &waiting] {
        ada.retry(job).await.refused("not-found");
        ada.cancel(job).await.refused("not-found");
    }
    let pool = world.pool().await;
    eventually("the one that waits is ended", async || {
        let reasons = sqlx::query_scalar(
            "SELECT payload->>'reason' FROM events
             WHERE aggregate_type = 'job' AND aggregate_id = $1 AND event_type = 'JobCancelled'",
        );
        let reasons: Vec<String> = reasons.bind(&waiting).fetch_all(&pool).await.expect("events");
        reasons == ["project_deleted"]
    })
    .await;
    ada.retry(&waiting).await.refused("not-found");
}

#[tokio::test]
async fn only_who_may_run_jobs_cancels_them_and_has_them_done_again() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (viewer, stranger) = (server.person("vera").await, server.person("sam").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    ada.invite(&project, &viewer, "viewer").await;
    let shared = ada.job(with(bash("true"), json!({"project_id": project}))).await;
    let own = ada.job(bash("true")).await;
    for asked in ["cancel", "retry"] {
        let path = |job: &str| format!("/jobs/{job}/{asked}");
        viewer.post(&path(&shared), json!({})).await.refused("forbidden");
        stranger.post(&path(&shared), json!({})).await.refused("not-found");
        server.client().post(&path(&shared), json!({})).await.problem(401);
        for other in [&grace, &viewer, &stranger] {
            other.post(&path(&own), json!({})).await.refused("not-found");
        }
        grace.post(&path(&shared), json!({})).await.is(200);
        ada.post(&path(&own), json!({})).await.is(200);
    }
    let nobodys = "01900000-0000-7000-8000-000000000000";
    ada.cancel(nobodys).await.refused("not-found");
    ada.retry(nobodys).await.refused("not-found");
}

#[tokio::test]
async fn the_most_urgent_job_comes_first_and_of_equal_ones_the_oldest() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let mut jobs = Vec::new();
    for (number, priority) in [5, 3, 1, 4, 2, 3].into_iter().enumerate() {
        let job = ada.job(with(bash("true"), json!({"priority": priority}))).await;
        jobs.push((priority, number, job));
    }
    // All of them wait when it comes.
    let _worker = world.worker_with(&[("WORKROOM_WORKER_SLOTS", "1")]).await;
    let mut started = Vec::new();
    for (priority, number, job) in &jobs {
        let done = ada.finished(job).await;
        assert_eq!((&done["status"], &done["priority"]), (&json!("completed"), &json!(priority)), "{done}");
        started.push((moment(&done["started_at"]), (*priority, *number)));
    }
    started.sort();
    let order: Vec<(i32, usize)> = started.into_iter().map(|(_, job)| job).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn jobs_are_listed_by_type_and_a_noop_does_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (noop, program) = (ada.job(json!({"type": "noop"})).await, ada.job(bash("true")).await);
    let done = ada.finished(&noop).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(1)), "{done}");
    assert_eq!((&done["language"], &done["timeout_seconds"]), (&Value::Null, &Value::Null), "{done}");
    assert_eq!((&done["result"]["exit_code"], &done["result"]["stdout"]), (&Value::Null, &json!("")), "{done}");
    ada.finished(&program).await;
    for (query, expected) in [
        ("?type=noop", vec![&noop]),
        ("?type=code_execution", vec![&program]),
        ("?type=noop&status=failed", vec![]),
        ("", vec![&program, &noop]),
    ] {
        let listed = ada.get(&format!("/jobs{query}")).await.is(200);
        let ids: Vec<_> = listed.items().iter().map(|job| job["id"].as_str().expect("an id")).collect();
        assert_eq!(ids, expected, "{query}");
    }
    ada.get("/jobs?type=world_domination").await.problem(422);
}
