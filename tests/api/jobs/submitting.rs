//! `POST /jobs`, `GET /jobs/{id}`, `GET /jobs`: what is accepted, and who may see it.

use serde_json::{Value, json};

use crate::support::World;

fn program(code: &str) -> Value {
    json!({"type": "code_execution", "language": "python", "code": code})
}

fn with(mut job: Value, field: &str, value: Value) -> Value {
    job[field] = value;
    job
}

#[tokio::test]
async fn a_job_is_accepted_at_once_and_can_be_followed() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = ada.post("/jobs", with(program("print(6 * 7)"), "timeout_seconds", json!(5))).await.is(202);
    assert_eq!(reply.header("location"), format!("/api/v1/jobs/{}", reply.id()));
    assert!(reply.position() > 0);
    for (field, expected) in [
        ("type", json!("code_execution")),
        ("language", json!("python")),
        ("timeout_seconds", json!(5)),
        ("status", json!("pending")),
        ("attempts", json!(0)),
        ("result", Value::Null),
        ("project_id", Value::Null),
        ("submitted_by", json!(ada.id)),
    ] {
        assert_eq!(reply.json[field], expected, "{field}");
    }
    let job = ada.finished(&reply.id()).await;
    assert_eq!(job["status"], "completed");
    assert_eq!(job["attempts"], 1);
    assert_eq!(job["result"]["stdout"], "42\n");
    assert_eq!(job["result"]["stderr"], "");
    assert_eq!(job["result"]["exit_code"], 0);
    assert_eq!(job["result"]["truncated"], false);
    assert!(job["result"]["execution_time_ms"].as_i64().is_some_and(|ms| ms > 0));
    assert_eq!(job["created_at"], reply.json["created_at"]);
    assert!(job["started_at"].as_str() >= job["created_at"].as_str());
    assert!(job["completed_at"].as_str() >= job["started_at"].as_str());
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_and_names_the_field() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for (job, pointer) in [
        (with(program("print()"), "language", json!("cobol")), "/language"),
        (with(program("print()"), "type", json!("world_domination")), "/type"),
        (with(program("print()"), "timeout_seconds", json!(0)), "/timeout_seconds"),
        (with(program("print()"), "timeout_seconds", json!(301)), "/timeout_seconds"),
        (with(program("print()"), "timeout_seconds", json!(-1)), "/timeout_seconds"),
        (with(program("print()"), "timeout_seconds", json!("5")), "/timeout_seconds"),
        (program("  \n"), "/code"),
        (program(&"#".repeat(128 * 1024 + 1)), "/code"),
        (with(program("print()"), "stdin", json!("x".repeat(128 * 1024 + 1))), "/stdin"),
        (with(program("print()"), "shell", json!(true)), "/shell"),
        (with(program("print()"), "project_id", json!("me")), "/project_id"),
    ] {
        let reply = ada.post("/jobs", job.clone()).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{}", reply.text);
    }
    let stranger = "01900000-0000-7000-8000-000000000000";
    ada.post("/jobs", with(program("print()"), "project_id", json!(stranger))).await.problem(404);
    assert!(ada.get("/jobs").await.is(200).items().is_empty(), "nothing was written");
}

#[tokio::test]
async fn a_job_is_seen_by_whom_its_project_lets_see_it() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let viewer = server.person("vera").await;
    let stranger = server.person("sam").await;
    let project = ada.project("Apollo").await;
    ada.invite(&project, &viewer, "viewer").await;
    let shared = ada.run_python("print(1)", Some(&project)).await;
    let private = ada.run_python("print(2)", None).await;

    viewer.get(&format!("/jobs/{shared}")).await.is(200);
    viewer.get(&format!("/jobs/{private}")).await.problem(404);
    stranger.get(&format!("/jobs/{shared}")).await.problem(404);
    stranger.get(&format!("/jobs?project_id={project}")).await.problem(404);
    server.client().get(&format!("/jobs/{shared}")).await.problem(401);
    viewer.post("/jobs", with(program("print()"), "project_id", json!(project))).await.problem(403);
    stranger.post("/jobs", with(program("print()"), "project_id", json!(project))).await.problem(404);

    let ids = |reply: &crate::support::Reply| -> Vec<String> {
        reply.items().iter().map(|job| job["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids(&ada.get("/jobs").await.is(200)), [private.clone(), shared.clone()], "newest first");
    assert_eq!(ids(&viewer.get(&format!("/jobs?project_id={project}")).await.is(200)), [shared.as_str()]);
    assert!(viewer.get("/jobs").await.is(200).items().is_empty(), "the viewer submitted none");
    ada.finished(&shared).await;
    ada.finished(&private).await;
    assert_eq!(ids(&ada.get("/jobs?status=completed&limit=1").await.is(200)), [private.as_str()]);
    assert!(ada.get("/jobs?status=failed").await.is(200).items().is_empty());
    ada.get("/jobs?status=lost").await.problem(422);
}

#[tokio::test]
async fn one_key_is_one_job() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let keyed = ada.with_header("idempotency-key", "job 1");
    let first = keyed.post("/jobs", program("print(1)")).await.is(202);
    ada.finished(&first.id()).await;
    let again = keyed.post("/jobs", program("print(1)")).await.is(202);
    assert_eq!(again.text, first.text, "the same reply, although the job has moved on");
    assert_eq!(again.header("idempotent-replayed"), "true");
    keyed.post("/jobs", program("print(2)")).await.problem(422);
    assert_eq!(ada.get("/jobs").await.is(200).items().len(), 1);
}

/// On a host without cgroups for the worker this refuses; elsewhere the job is bounded by one.
#[tokio::test]
async fn where_cgroups_are_required_a_job_has_one_or_is_refused() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_SANDBOX_CGROUPS", "required")]).await;
    let ada = server.person("ada").await;
    let ready = server.client().get("//ready").await.is(200);
    let detail = ready.json["checks"]["sandbox"]["detail"].as_str().expect("a detail").to_owned();
    if detail.contains("limits by cgroups") {
        let job = ada.run_python("print(1)", None).await;
        assert_eq!(ada.finished(&job).await["status"], "completed");
    } else {
        assert!(detail.contains("code is refused: no cgroups:"), "{detail}");
        ada.post("/jobs", program("print(1)")).await.problem(503);
    }
}

#[tokio::test]
async fn without_a_sandbox_code_is_refused_and_never_run() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_SANDBOX_FOLDER", "/nowhere")]).await;
    let ada = server.person("ada").await;
    let reply = ada.post("/jobs", program("print(1)")).await.problem(503);
    assert!(!reply.header("retry-after").is_empty());
    assert!(ada.get("/jobs").await.is(200).items().is_empty());
    let ready = server.client().get("//ready").await.is(200);
    assert!(ready.json["checks"]["sandbox"]["detail"].as_str().is_some_and(|detail| detail.contains("refused")));
    assert_eq!(ready.json["checks"]["sandbox"]["ok"], false);
}
