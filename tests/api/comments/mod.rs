//! `/projects/{project_id}/tasks/{task_id}/comments`

use serde_json::json;

use crate::{support::World, tasks::titled};

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_listed_in_their_order_with_their_authors_and_counted() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let task = titled(&ada, &project, "Launch").await;
    let comments = format!("{task}/comments");
    let first = ada.post(&comments, json!({"body": " Ready?\n"})).await.is(201);
    assert_eq!(first.header("location"), format!("/api/v1{comments}/{}", first.id()));
    assert_eq!((&first.json["body"], &first.json["author_id"]), (&json!(" Ready?\n"), &json!(ada.id)));
    assert_eq!(first.json["author"]["full_name"], "ada");
    assert_eq!(grace.get(&format!("{comments}/{}", first.id())).await.is(200).json, first.json);
    for number in 0..5 {
        grace.post(&comments, json!({"body": format!("{number}")})).await.is(201);
    }
    assert_eq!(ada.get(&task).await.is(200).json["comment_count"], 6);
    let page = ada.get(&format!("{comments}?limit=4")).await.is(200);
    let next = page.json["next_cursor"].as_str().expect("more");
    let rest = ada.get(&format!("{comments}?limit=4&cursor={next}")).await.is(200);
    let bodies: Vec<_> = page.items().iter().chain(rest.items()).map(|comment| comment["body"].clone()).collect();
    assert_eq!(bodies, [" Ready?\n", "0", "1", "2", "3", "4"]);
    assert_eq!(ada.get(&format!("{comments}?skip=5")).await.is(200).items().len(), 1);
    let listed = ada.get(&format!("/projects/{project}/tasks")).await.is(200);
    assert_eq!(listed.items()[0]["comment_count"], 6);
    for bad in [json!({"body": ""}), json!({"body": " \n"}), json!({"body": "x".repeat(20_001)}), json!({})] {
        ada.post(&comments, bad).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_edit_and_delete_their_own_and_owners_delete_any() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, grace, bob] = [server.person("ada").await, server.person("grace").await, server.person("bob").await];
    let project = ada.project("Apollo").await;
    for person in [&grace, &bob] {
        ada.invite(&project, person, "collaborator").await;
    }
    let task = titled(&ada, &project, "Launch").await;
    let post = async |body: &str| {
        let id = grace.post(&format!("{task}/comments"), json!({"body": body})).await.is(201).id();
        format!("{task}/comments/{id}")
    };
    let comment = post("Ready.").await;
    for other in [&ada, &bob] {
        other.patch(&comment, json!({"body": "Not ready."})).await.problem(403);
    }
    bob.delete(&comment).await.problem(403);
    let edited = grace.patch(&comment, json!({"body": "Nearly."})).await.is(200);
    assert_eq!((&edited.json["body"], edited.header("etag")), (&json!("Nearly."), "\"2\""));
    let history = ada.history(&project).await;
    let event = &history.last().expect("an event")["data"];
    assert_eq!(event["body"], json!({"from": "Ready.", "to": "Nearly."}));
    grace.with_header("if-match", "\"1\"").patch(&comment, json!({"body": "Late."})).await.problem(412);
    ada.delete(&comment).await.is(204);
    grace.get(&comment).await.problem(404);
    let another = post("Now.").await;
    grace.delete(&another).await.is(204);
    assert_eq!(ada.get(&task).await.is(200).json["comment_count"], 0);
    // Who has become a viewer has lost the word, also over what they said.
    let last = post("Go.").await;
    ada.patch(&format!("/projects/{project}/members/{}", grace.id), json!({"role": "viewer"})).await.is(200);
    grace.patch(&last, json!({"body": "Stop."})).await.problem(403);
    grace.delete(&last).await.problem(403);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
