//! `PATCH` and `PUT /projects/{project_id}/tasks/{task_id}`, and reading on condition.

use reqwest::Method;
use serde_json::json;

use super::{task, titled};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_given_fields_change_and_history_tells_from_and_to() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let due = "2027-01-01T08:00:00Z";
    let made = task(&ada, &project, json!({"title": "Launch", "due_at": due, "assignee_id": grace.id})).await;
    let path = format!("/projects/{project}/tasks/{}", made["id"].as_str().expect("an id"));
    let changed = grace.patch(&path, json!({"status": "done", "due_at": null})).await.is(200);
    assert_eq!((&changed.json["status"], &changed.json["due_at"]), (&json!("done"), &json!(null)));
    assert_eq!((&changed.json["title"], &changed.json["assignee_id"]), (&json!("Launch"), &json!(grace.id)));
    assert_eq!(changed.header("etag"), "\"2\"");
    let history = ada.history(&project).await;
    let event = history.last().expect("an event");
    assert_eq!(event["actor"], grace.id);
    assert_eq!(
        event["data"]["changes"],
        json!({"status": {"from": "todo", "to": "done"}, "due_at": {"from": due, "to": null}})
    );
    // PUT is the same, and what changes nothing is no event.
    ada.put(&path, json!({"status": "done"})).await.is(200);
    assert_eq!(ada.history(&project).await.len(), history.len());
    ada.put(&path, json!({"assignee_id": null})).await.is(200);
    assert_eq!(ada.get(&path).await.is(200).json["assignee"], json!(null));
    ada.patch(&path, json!({"assignee_id": project})).await.problem(422);
    ada.patch(&path, json!({"title": null, "nothing": 1})).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_change_is_refused_and_what_is_known_is_not_sent_again() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = titled(&ada, &project, "Launch").await;
    let etag = ada.get(&path).await.is(200).header("etag").to_owned();
    let known = ada.with_header("if-none-match", &etag);
    let unchanged = known.get(&path).await.is(304);
    assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", etag.as_str()));
    ada.with_header("if-match", &etag).patch(&path, json!({"title": "Land"})).await.is(200);
    known.get(&path).await.is(200);
    for stale in [etag.as_str(), "\"1\"", "\"x\"", "W/\"2\"", "garbage"] {
        let stale = ada.with_header("if-match", stale);
        stale.patch(&path, json!({"title": "Orbit"})).await.problem(412);
        stale.delete(&path).await.problem(412);
    }
    // A comment is no new version of the task, but another sight of it.
    let etag = ada.get(&path).await.is(200).header("etag").to_owned();
    ada.post(&format!("{path}/comments"), json!({"body": "Softly."})).await.is(201);
    ada.with_header("if-none-match", &etag).get(&path).await.is(200);
    ada.with_header("if-match", &etag).patch(&path, json!({"title": "Orbit"})).await.is(200);
    let project_path = format!("/projects/{project}");
    let etag = ada.get(&project_path).await.is(200).header("etag").to_owned();
    let known = ada.with_header("if-none-match", &format!("\"x\", {etag}"));
    known.get(&project_path).await.is(304);
    let grace = server.person("grace").await;
    ada.invite(&project, &grace, "viewer").await;
    known.get(&project_path).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_fields_at_once_are_all_made() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = titled(&ada, &project, "Launch").await;
    let bodies = [json!({"status": "done"}), json!({"type": "bug"}), json!({"priority": "low"}), json!({"title": "L"})];
    let racing = bodies.iter().cycle().take(40).enumerate().map(|(n, body)| {
        let client = if n % 2 == 0 { ada.clone() } else { ada.at(&there.address) };
        let (path, body) = (path.clone(), body.clone());
        async move { client.send(Method::PATCH, &path, Some(body.to_string())).await.is(200) }
    });
    futures::future::join_all(racing).await;
    let task = ada.get(&path).await.is(200).json;
    assert_eq!((&task["status"], &task["type"]), (&json!("done"), &json!("bug")));
    assert_eq!((&task["priority"], &task["title"], &task["version"]), (&json!("low"), &json!("L"), &json!(5)));
}
