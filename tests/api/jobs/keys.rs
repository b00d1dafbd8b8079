//! Keys of jobs: one at a time, one within a while, the last of a burst.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::lifecycle::{bash, history, moment, types, with};
use crate::support::{Person, World};

/// When a job's attempt began and was over.
async fn span(ada: &Person, job: &str) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let job = ada.finished(job).await;
    assert_eq!(job["status"], "completed", "{job}");
    (moment(&job["started_at"]), moment(&job["completed_at"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_with_one_key_run_one_after_the_other() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_WORKER_SLOTS", "4")]).await;
    let ada = server.person("ada").await;
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let keyed = |project: &str| with(bash("sleep 0.2"), json!({"key": "deploy", "project_id": project}));
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(ada.job(keyed(&project)).await);
    }
    let elsewhere = ada.job(keyed(&other)).await;
    let mut spans = Vec::new();
    for job in &jobs {
        spans.push(span(&ada, job).await);
    }
    spans.sort();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two at a time: {spans:?}");
    }
    assert!(span(&ada, &elsewhere).await.0 < spans[3].0, "the key is the project's own");
    let all = ada.history(&project).await;
    let granted: Vec<&Value> = all.iter().filter(|event| event["event_type"] == "JobKeyGranted").collect();
    assert_eq!(granted.len(), 4);
    assert!(granted.iter().all(|event| event["actor"] == "system:dispatcher"), "{granted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_or_is_cancelled_gives_its_key_back() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let keyed = |code: &str| with(bash(code), json!({"key": "k"}));
    let (bad, waits) = (ada.job(keyed("exit 1")).await, ada.job(keyed("sleep 60")).await);
    let last = ada.job(keyed("true")).await;
    assert_eq!(ada.finished(&bad).await["status"], "failed");
    // Whether it waits or runs.
    ada.cancel(&waits).await.is(200);
    assert_eq!(ada.finished(&last).await["status"], "completed");
    let retried = ada.retry(&bad).await.is(200);
    assert_eq!(retried.json["status"], "pending");
    assert_eq!(ada.finished(&bad).await["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_holds_although_whoever_dispatches_dies() {
    let world = World::new().await;
    let roles = ["--roles", "api,projector,relay,scheduler"];
    let first = world.server_with(&roles, &[]).await;
    let second = world.server_with(&roles, &[]).await;
    let _worker = world.worker().await;
    let ada = first.person("ada").await.at(&second.address);
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(ada.job(with(bash("sleep 0.3"), json!({"key": "deploy"}))).await);
    }
    first.kill9().await;
    let mut spans = Vec::new();
    for job in &jobs {
        spans.push(span(&ada, job).await);
    }
    spans.sort();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two at a time: {spans:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn within_its_window_a_job_is_the_only_one_with_its_key() {
    let world = World::new().await;
    let (here, there) = (world.server().await, world.server().await);
    let ada = here.person("ada").await;
    let unique = |key: &str| json!({"type": "noop", "key": key, "unique_seconds": 600});
    // Through two instances at once.
    let submitted = futures::future::join_all((0..20).map(|number| {
        let ada = if number % 2 == 0 { ada.clone() } else { ada.at(&there.address) };
        async move { ada.post("/jobs", unique("nightly")).await }
    }))
    .await;
    let ids: std::collections::BTreeSet<String> = submitted.iter().map(|reply| reply.json["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(submitted.iter().filter(|reply| reply.status == 202).count(), 1);
    assert!(submitted.iter().all(|reply| matches!(reply.status, 200 | 202)));
    let earlier = ada.post("/jobs", unique("nightly")).await.is(200);
    assert_eq!(earlier.header("location"), format!("/api/v1/jobs/{}", earlier.id()));
    ada.post("/jobs", unique("another")).await.is(202);
    // A cancelled one stands in nobody's way.
    let waits = json!({"type": "noop", "key": "c", "unique_seconds": 600, "run_at": "2100-01-01T00:00:00Z"});
    let first = ada.post("/jobs", waits.clone()).await.is(202).id();
    ada.cancel(&first).await.is(200);
    assert_ne!(ada.post("/jobs", waits).await.is(202).id(), first);
    // A burst with the same key is none of its business.
    let first = ada.post("/jobs", unique("mixed")).await.is(202).id();
    let burst = json!({"type": "noop", "key": "mixed", "debounce_seconds": 600});
    let superseded = ada.post("/jobs", burst.clone()).await.is(202).id();
    assert_eq!(ada.post("/jobs", unique("mixed")).await.is(200).id(), first, "a burst does not end its time");
    let last = ada.post("/jobs", burst).await.is(202).id();
    assert_eq!(ada.finished(&superseded).await["status"], "cancelled", "one of the burst in between changes nothing");
    assert_eq!(ada.get(&format!("/jobs/{last}")).await.is(200).json["status"], "pending");
    // A short window ends.
    let short = json!({"type": "noop", "key": "short", "unique_seconds": 1});
    let first = ada.post("/jobs", short.clone()).await.is(202).id();
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while ada.post("/jobs", short.clone()).await.id() == first {
        assert!(std::time::Instant::now() < deadline, "the window does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_burst_the_last_is_done_after_a_while() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let burst = json!({"type": "noop", "key": "index", "debounce_seconds": 1, "project_id": project});
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let reply = ada.post("/jobs", burst.clone()).await.is(202);
        assert!(moment(&reply.json["run_at"]) > moment(&reply.json["created_at"]), "{}", reply.json);
        jobs.push(reply.id());
    }
    let last = jobs.pop().expect("a job");
    assert_eq!(ada.finished(&last).await["status"], "completed");
    for job in &jobs {
        assert_eq!(ada.finished(job).await["status"], "cancelled");
        assert_eq!(types(&history(&ada, &project, job).await), ["JobRequested", "JobCancelled"]);
    }
}

#[tokio::test]
async fn what_compares_jobs_needs_a_key() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let at = "2100-01-01T00:00:00Z";
    for (more, pointer, code) in [
        (json!({"unique_seconds": 5}), "/key", "missing-field"),
        (json!({"debounce_seconds": 5}), "/key", "missing-field"),
        (json!({"key": "k", "unique_seconds": 0}), "/unique_seconds", "out-of-range"),
        (json!({"key": "k", "unique_seconds": 604_801}), "/unique_seconds", "out-of-range"),
        (json!({"key": "k", "unique_seconds": 5, "debounce_seconds": 5}), "/debounce_seconds", "invalid-value"),
        (json!({"key": "k", "debounce_seconds": 5, "run_at": at}), "/run_at", "invalid-value"),
    ] {
        let reply = ada.post("/jobs", with(json!({"type": "noop"}), more)).await.problem(422);
        assert_eq!(
            (&reply.json["errors"][0]["pointer"], &reply.json["errors"][0]["code"]),
            (&json!(pointer), &json!(code))
        );
    }
    let unknown = Uuid::now_v7();
    ada.cancel(&unknown.to_string()).await.problem(404);
}
