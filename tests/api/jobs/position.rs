//! Where a job that waits stands.

use serde_json::{Value, json};

use super::lifecycle::{bash, with};
use crate::support::{World, eventually};

#[tokio::test]
async fn a_job_that_waits_tells_its_place_among_those_of_its_owner() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    let first = ada.job(with(bash("true"), json!({"project_id": project}))).await;
    let second = ada.job(with(bash("true"), json!({"project_id": project}))).await;
    let urgent = ada.job(with(bash("true"), json!({"project_id": project, "priority": 1}))).await;
    let other_key = ada.job(with(bash("true"), json!({"project_id": project, "fairness_key": "desk"}))).await;
    let own = ada.job(bash("true")).await;
    let anothers = grace.job(bash("true")).await;
    let later = ada.job(with(bash("true"), json!({"project_id": project, "run_at": "2100-01-01T00:00:00Z"}))).await;

    let place = async |job: &str| ada.get(&format!("/jobs/{job}")).await.is(200).json["position"].clone();
    for (job, position) in [(&urgent, 1), (&first, 2), (&second, 3), (&other_key, 1), (&own, 1)] {
        assert_eq!(place(job).await, position);
    }
    assert_eq!(place(&later).await, Value::Null, "it does not wait for a worker");
    let anothers = grace.get(&format!("/jobs/{anothers}")).await.is(200).json;
    assert_eq!((&anothers["position"], &anothers["expected_start_at"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn the_expected_start_follows_from_how_long_jobs_took() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_WORKER_SLOTS", "1")]).await;
    let ada = server.person("ada").await;
    let measured = ada.job(bash("sleep 1")).await;
    ada.finished(&measured).await;
    let running = ada.job(bash("sleep 60")).await;
    eventually("it runs", async || ada.get(&format!("/jobs/{running}")).await.json["status"] == "running").await;
    let waiting = ada.job(bash("true")).await;
    let job = ada.get(&format!("/jobs/{waiting}")).await.is(200).json;
    assert_eq!((&job["status"], &job["position"]), (&json!("pending"), &json!(1)));
    let expected = job["expected_start_at"].as_str().expect("an estimate");
    assert!(expected > job["created_at"].as_str().expect("a time"), "{job}");
    ada.cancel(&running).await;
    let done = ada.finished(&waiting).await;
    assert_eq!((&done["position"], &done["expected_start_at"]), (&Value::Null, &Value::Null));
}
