//! `DELETE /projects/{project_id}/tasks/{task_id}`, `POST /projects/{project_id}/tasks/delete`

use serde_json::json;
use uuid::Uuid;

use super::{task, titled};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_task_is_gone_with_its_comments_and_stays_in_history() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = titled(&ada, &project, "Launch").await;
    let comment = ada.post(&format!("{path}/comments"), json!({"body": "Soon."})).await.is(201).id();
    ada.delete(&path).await.is(204);
    ada.get(&path).await.problem(404);
    ada.get(&format!("{path}/comments")).await.problem(404);
    ada.get(&format!("{path}/comments/{comment}")).await.problem(404);
    ada.post(&format!("{path}/comments"), json!({"body": "Too late."})).await.problem(404);
    ada.delete(&format!("{path}/comments/{comment}")).await.problem(404);
    ada.patch(&path, json!({"title": "Land"})).await.problem(404);
    ada.delete(&path).await.problem(404);
    let types: Vec<_> = ada.history(&project).await.iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!(types[2..], [json!("TaskCreated"), json!("CommentPosted"), json!("TaskDeleted")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_are_removed_in_one_step() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(task(&ada, &project, json!({"title": format!("task {number}")})).await["id"].clone());
    }
    let elsewhere = task(&ada, &other, json!({"title": "Another"})).await["id"].clone();
    let tasks = format!("/projects/{project}/tasks");
    let delete = format!("{tasks}/delete");
    for bad in [json!([]), json!(vec![Uuid::now_v7(); 101]), json!(["x"]), json!("all")] {
        ada.post(&delete, json!({"ids": bad})).await.problem(422);
    }
    let none = ada.post(&delete, json!({"ids": [Uuid::now_v7(), elsewhere]})).await.is(200);
    assert_eq!(none.json["deleted"], json!([]), "there was nothing to remove");
    // Known, unknown, elsewhere, and twice.
    let some = json!({"ids": [ids[0], ids[1], Uuid::now_v7(), elsewhere, ids[0]]});
    let deleted = ada.post(&delete, some.clone()).await.is(200);
    assert_eq!(deleted.json["deleted"], json!([ids[0], ids[1]]));
    let again = ada.post(&delete, some).await.is(200);
    assert_eq!(again.json["deleted"], json!([]), "the same again passes over what is gone");
    ada.post(&delete, json!({"ids": ids})).await.is(200);
    let stranger = server.person("eve").await;
    stranger.post(&delete, json!({"ids": ids})).await.problem(404);
    assert!(ada.get(&tasks).await.is(200).items().is_empty());
    ada.get(&format!("/projects/{other}/tasks/{}", elsewhere.as_str().expect("an id"))).await.is(200);
}
