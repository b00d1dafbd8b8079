//! What is no schedule, and names its field.

use serde_json::{Value, json};

use super::each_second;
use crate::{jobs::lifecycle::with, support::World};

/// The codes of schedules; see `problems/codes`.
pub const MET: &[&str] = &["never-runs", "not-a-cron-expression", "too-many-schedules", "unknown-time-zone"];

fn cron(expression: &str) -> Value {
    json!({"cron": expression, "job": {"type": "noop"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_schedule_is_refused_and_names_the_field() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let job = |job: Value| json!({"every_seconds": 60, "job": job});
    let unknown = "01900000-0000-7000-8000-000000000000";
    let workspace = json!({"language": "bash", "workspace_id": unknown, "entry": "main.sh"});
    for (schedule, pointer, code) in [
        (json!({"job": {"type": "noop"}}), "/cron", "missing-field"),
        (json!({"cron": "@daily"}), "", "missing-field"),
        (cron("* * * *"), "/cron", "not-a-cron-expression"),
        (cron("61 * * * *"), "/cron", "not-a-cron-expression"),
        (cron("* * * * * *"), "/cron", "not-a-cron-expression"),
        (cron("0 0 31 2 *"), "/cron", "never-runs"),
        (cron(&"1,".repeat(200)), "/cron", "too-long"),
        (with(cron("@daily"), json!({"time_zone": "Europe/Atlantis"})), "/time_zone", "unknown-time-zone"),
        (with(cron("@daily"), json!({"time_zone": ""})), "/time_zone", "unknown-time-zone"),
        (with(cron("@daily"), json!({"every_seconds": 60})), "/every_seconds", "invalid-value"),
        (with(each_second(), json!({"every_seconds": 0})), "/every_seconds", "out-of-range"),
        (with(each_second(), json!({"every_seconds": 31_536_001})), "/every_seconds", "out-of-range"),
        (with(each_second(), json!({"missed": "some"})), "/missed", "invalid-value"),
        (with(each_second(), json!({"name": " "})), "/name", "empty"),
        (with(each_second(), json!({"paused": "no"})), "/paused", "wrong-type"),
        (with(each_second(), json!({"colour": "red"})), "/colour", "unknown-field"),
        (job(json!({"type": "noop", "priority": 6})), "/job/priority", "out-of-range"),
        (job(json!({"type": "noop", "code": "true"})), "/job/code", "invalid-value"),
        (job(json!({"language": "cobol", "code": "DISPLAY 1."})), "/job/language", "unknown-language"),
        (job(json!({"language": "bash"})), "/job/code", "missing-field"),
        (job(json!({"type": "project_export"})), "/project_id", "missing-field"),
        (job(workspace.clone()), "/project_id", "missing-field"),
        (job(with(workspace.clone(), json!({"code": "true"}))), "/job/workspace_id", "invalid-value"),
        (job(json!({"type": "noop", "workspace_id": unknown})), "/job/workspace_id", "invalid-value"),
        (job(json!({"type": "noop", "after": 1})), "/job/after", "invalid-value"),
        (job(json!({"type": "noop", "unique_seconds": 5})), "/job/key", "missing-field"),
        (job(json!({"type": "noop", "key": "k", "unique_seconds": 604_801})), "/job/unique_seconds", "out-of-range"),
        // What a schedule says itself.
        (job(json!({"type": "noop", "run_at": "2100-01-01T00:00:00Z"})), "/job/run_at", "invalid-value"),
        (job(json!({"type": "noop", "key": "k", "debounce_seconds": 5})), "/job/debounce_seconds", "invalid-value"),
        (job(json!({"type": "noop", "project_id": unknown})), "/job/project_id", "invalid-value"),
        (job(json!({"type": "noop", "project_id": null})), "/job/project_id", "wrong-type"),
        (job(json!({"type": "noop", "colour": "red"})), "/job/colour", "unknown-field"),
    ] {
        let reply = ada.post("/schedules", schedule.clone()).await.refused("invalid");
        let first = &reply.json["errors"][0];
        assert_eq!((&first["pointer"], &first["code"]), (&json!(pointer), &json!(code)), "{schedule}: {}", reply.text);
    }
    // All that does not hold is told at once.
    let schedule = json!({"cron": "x", "time_zone": "y", "name": "", "job": {"language": "cobol", "priority": 0}});
    let reply = ada.post("/schedules", schedule).await.refused("invalid");
    let pointers: Vec<_> = reply.json["errors"].as_array().expect("errors").iter().map(|e| &e["pointer"]).collect();
    assert_eq!(pointers, ["/name", "/cron", "/time_zone", "/job/language", "/job/code", "/job/priority"]);
    assert!(ada.get("/schedules").await.is(200).items().is_empty(), "nothing was written");

    let id = ada.post("/schedules", with(each_second(), json!({"paused": true}))).await.is(201).id();
    let path = format!("/schedules/{id}");
    for (patch, pointer, code) in [
        (json!({"cron": "0 0 30 2 *"}), "/cron", "never-runs"),
        (json!({"cron": "@daily", "every_seconds": 5}), "/every_seconds", "invalid-value"),
        (json!({"time_zone": "Mars"}), "/time_zone", "unknown-time-zone"),
        (json!({"cron": null}), "/cron", "wrong-type"),
        (json!({"project_id": null}), "/project_id", "unknown-field"),
        (json!({"job": {"type": "project_export"}}), "/project_id", "missing-field"),
        (json!({"job": workspace}), "/project_id", "missing-field"),
        (json!({"job": {"type": "noop", "max_attempts": 26}}), "/job/max_attempts", "out-of-range"),
    ] {
        ada.patch(&path, patch).await.refused_field(pointer, code);
    }
    ada.post("/schedules", with(each_second(), json!({"project_id": unknown}))).await.refused("not-found");
    ada.get(&format!("/schedules/{unknown}")).await.refused("not-found");
    ada.get("/schedules/mine").await.problem(404);
}
