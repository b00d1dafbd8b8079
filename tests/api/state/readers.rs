//! Who reads what a project was, and what is told of that.

use serde_json::{Value, json};

use super::{content, head};
use crate::support::World;

fn reads(history: &[Value]) -> Vec<i64> {
    let reads = history.iter().filter(|event| event["event_type"] == "StateRead");
    reads.map(|event| event["data"]["as_of"].as_i64().expect("a place")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_a_state_is_in_the_history_and_not_in_the_answer() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let pool = world.pool().await;
    assert_eq!(head(&pool, &project).await, 2);
    let first = ada.get(&format!("{path}/state")).await.is(200).json;
    assert_eq!(first["seq"], 2, "it does not count itself");
    let second = ada.get(&format!("{path}/state")).await.is(200).json;
    assert_eq!(second["seq"], 3);
    assert_eq!(content(first), content(second.clone()), "reading changes nothing");
    ada.get(&format!("{path}/diff?from=1&to=2")).await.is(200);
    assert_eq!(reads(&ada.history(&project).await), [2, 3, 1, 2]);

    let at = second["time"].as_str().expect("a time").replace('+', "%2B");
    let by_time = ada.get(&format!("{path}/state?as_of={at}")).await.is(200).json;
    assert_eq!(by_time["seq"], 3);
    let by_epoch = format!("{path}/state?as_of={}.2", second["epoch"].as_str().expect("an epoch"));
    assert_eq!(ada.get(&by_epoch).await.is(200).json["seq"], 2);
    let created = ada.get(&format!("{path}/state?as_of=1")).await.is(200).json;
    assert_eq!((&created["members"], &created["project"]["member_count"]), (&json!([]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_read_the_project_tasks_and_comments() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let task = ada.post(&format!("{path}/tasks"), json!({"title": "Launch"})).await.is(201).id();
    ada.post(&format!("{path}/workspaces"), json!({"name": "Lab"})).await.is(201);
    for read in ["state", "diff"] {
        eve.get(&format!("{path}/{read}")).await.problem(404);
    }
    ada.patch(&path, json!({"is_public": true})).await.is(200);
    let before = head(&world.pool().await, &project).await;
    let state = eve.get(&format!("{path}/state")).await.is(200).json;
    assert_eq!(state["tasks"][0]["id"], task);
    let names: Vec<_> = state.as_object().expect("fields").keys().map(String::as_str).collect();
    for hidden in ["members", "workspaces", "files", "jobs", "schedules", "webhooks", "job_rules"] {
        assert!(!names.contains(&hidden), "{names:?}");
    }
    let diff = eve.get(&format!("{path}/diff")).await.is(200).json;
    let kinds: Vec<_> = diff["changes"].as_array().expect("changes").iter().map(|change| &change["kind"]).collect();
    assert_eq!(kinds, ["project", "task"]);
    assert_eq!(head(&world.pool().await, &project).await, before, "a visitor leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_project_is_read_by_who_owned_it() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let path = format!("/projects/{project}");
    let living = ada.get(&format!("{path}/state")).await.is(200).json;
    ada.delete(&path).await.is(204);
    let then = ada.get(&format!("{path}/state?as_of={}", living["seq"])).await.is(200).json;
    assert_eq!(then, living);
    assert_eq!(then["members"].as_array().map(Vec::len), Some(2));
    let now = ada.get(&format!("{path}/state")).await.is(200).json;
    assert_eq!((&now["project"]["deleted"], &now["members"]), (&json!(true), &json!([])));
    grace.get(&format!("{path}/state")).await.problem(404);
}
