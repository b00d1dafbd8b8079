//! A worker dies with a job in its hands.

use serde_json::Value;

use super::load::assert_proved;
use crate::support::{World, eventually};

#[tokio::test]
async fn a_job_whose_worker_is_killed_is_run_again_and_ends_once() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &[]).await;
    let worker = world.worker().await;
    let ada = server.person("ada").await;
    let job = ada.run_python("import time\nprint('begun', flush=True)\ntime.sleep(3)\nprint('done')", None).await;
    let path = format!("/jobs/{job}");
    eventually("the job runs", || async { ada.get(&path).await.is(200).json["status"] == "running" }).await;
    worker.kill9().await;
    let _heir = world.worker().await;
    let ended = ada.finished(&job).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["attempts"], 1, "an interruption is no attempt: {ended}");
    let history = ada.get("/auth/me/events?limit=100").await.is(200);
    let mut types: Vec<&str> =
        history.items().iter().filter(|event| event["aggregate_type"] == "job").map(event_type).collect();
    assert_eq!(types, ["JobRequested", "JobStarted", "JobInterrupted", "JobStarted", "JobSucceeded"]);
    types.retain(|event_type| *event_type == "JobSucceeded");
    assert_eq!(types.len(), 1);
    assert_proved(&world, &world.pool().await).await;
}

fn event_type(event: &Value) -> &str {
    event["event_type"].as_str().expect("a type")
}
