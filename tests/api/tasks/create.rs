//! `POST /projects/{project_id}/tasks`, `GET /projects/{project_id}/tasks/{task_id}`

use serde_json::json;
use uuid::Uuid;

use super::task;
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_keeps_every_field_and_is_read_as_it_was_replied() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let body = json!({
        "title": "  Launch ", "description": "All engines.\nTwice.", "assignee_id": grace.id, "status": "in_progress",
        "type": "bug", "priority": "high", "due_at": "2027-01-01T10:00:00.123456+02:00",
    });
    let reply = ada.post(&format!("/projects/{project}/tasks"), body).await.is(201);
    let path = format!("/projects/{project}/tasks/{}", reply.id());
    assert_eq!(reply.header("location"), format!("/api/v1{path}"));
    assert_eq!(reply.header("etag"), "\"1\"");
    for (field, value) in [
        ("title", json!("Launch")),
        ("description", json!("All engines.\nTwice.")),
        ("status", json!("in_progress")),
        ("type", json!("bug")),
        ("priority", json!("high")),
        ("due_at", json!("2027-01-01T08:00:00.123456Z")),
        ("assignee_id", json!(grace.id)),
        ("created_by", json!(ada.id)),
        ("comment_count", json!(0)),
        ("version", json!(1)),
    ] {
        assert_eq!(reply.json[field], value, "{field}");
    }
    assert_eq!(reply.json["assignee"]["email"], grace.email);
    assert_eq!(grace.get(&path).await.is(200).json, reply.json);
    let history = ada.history(&project).await;
    let event = history.last().expect("an event");
    assert_eq!((&event["event_type"], &event["actor"]), (&json!("TaskCreated"), &json!(ada.id)));
    assert_eq!(event["aggregate_id"], reply.json["id"]);
    let plain = task(&ada, &project, json!({"title": "Land"})).await;
    assert_eq!((&plain["status"], &plain["type"]), (&json!("todo"), &json!("task")));
    assert_eq!((&plain["priority"], &plain["assignee"]), (&json!("medium"), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_task_is_refused_with_the_field_named() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let tasks = format!("/projects/{project}/tasks");
    let long = "x".repeat(201);
    let longer = "x".repeat(20_001);
    for (field, value) in [
        ("title", json!("")),
        ("title", json!(" \n ")),
        ("title", json!(long)),
        ("title", json!("a\u{0}b")),
        ("title", json!("a\u{202e}b")),
        ("title", json!(7)),
        ("description", json!(longer)),
        ("status", json!("finished")),
        ("status", json!(["todo"])),
        ("type", json!("epic")),
        ("priority", json!("urgent")),
        ("assignee_id", json!("grace@example.com")),
        ("assignee_id", json!(eve.id)),
        ("assignee_id", json!(Uuid::now_v7())),
        ("due_at", json!("2027-01-01")),
        ("due_at", json!("2027-01-01T10:00:00")),
        ("due_at", json!("2027-02-30T10:00:00Z")),
        ("due_at", json!("9999-12-31T23:59:59-01:00")),
        ("due_at", json!("0000-01-01T00:00:00Z")),
        ("due_at", json!(1_800_000_000)),
        ("comment_count", json!(1)),
    ] {
        let mut body = json!({"title": "Launch"});
        body[field] = value.clone();
        let refused = ada.post(&tasks, body).await.problem(422);
        let pointer = refused.json["errors"][0]["pointer"].as_str().expect("a pointer");
        assert!(pointer == format!("/{field}") || pointer.is_empty(), "{field} {value}: {}", refused.text);
    }
    assert!(ada.get(&tasks).await.is(200).items().is_empty());
    task(&ada, &project, json!({"title": "x".repeat(200), "description": "ü".repeat(20_000)})).await;
    task(&ada, &project, json!({"title": "Late", "due_at": "9999-12-31T23:59:59Z"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_creation_makes_one_task() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let tasks = format!("/projects/{project}/tasks");
    let once = ada.with_header("idempotency-key", "launch");
    let first = once.post(&tasks, json!({"title": "Launch"})).await.is(201);
    let again = once.post(&tasks, json!({"title": "Launch"})).await.is(201);
    assert_eq!((first.json, again.header("idempotent-replayed")), (again.json.clone(), "true"));
    once.post(&tasks, json!({"title": "Land"})).await.problem(422);
    assert_eq!(ada.get(&tasks).await.is(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_another_project_a_task_does_not_exist() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let id = task(&ada, &project, json!({"title": "Launch"})).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/projects/{other}/tasks/{id}");
    ada.get(&path).await.problem(404);
    ada.patch(&path, json!({"title": "Taken"})).await.problem(404);
    ada.delete(&path).await.problem(404);
    let passed_over = ada.post(&format!("/projects/{other}/tasks/delete"), json!({"ids": [id]})).await.is(200);
    assert_eq!(passed_over.json, json!({"deleted": []}), "what is not there is passed over");
    ada.get(&format!("{path}/comments")).await.problem(404);
    ada.post(&format!("{path}/comments"), json!({"body": "Hello"})).await.problem(404);
    assert_eq!(ada.get(&format!("/projects/{project}/tasks/{id}")).await.is(200).json["title"], "Launch");
}
