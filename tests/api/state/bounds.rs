//! What a reading costs whoever reads, and what is not done for those who need it not.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use workroom_projections::state::snapshots::is_deleted;

use super::{
    head, hold,
    snapshots::{kept, long},
};
use crate::{organizations::organization, support::World};

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_whether_one_may_read_and_leaves_nothing_behind() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let acme = organization(&ada, "Acme").await;
    let pool = world.pool().await;
    let before: i64 = sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&pool).await.expect("a head");
    for (path, media_type) in [
        (format!("/projects/{project}/state"), "application/json"),
        (format!("/projects/{project}/diff"), "application/json"),
        (format!("/projects/{project}/events/export"), "application/x-ndjson"),
        (format!("/organizations/{acme}/events/export"), "application/x-ndjson"),
    ] {
        let reply = ada.send(Method::HEAD, &path, None).await.is(200);
        assert_eq!((reply.header("content-type"), reply.text.as_str()), (media_type, ""), "{path}");
        eve.send(Method::HEAD, &path, None).await.is(404);
    }
    let after: i64 = sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&pool).await.expect("a head");
    assert_eq!(after, before, "nothing was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_between_a_moment_and_itself_is_one_reading() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let before = head(&pool, &project).await;
    let diff = ada.get(&format!("/projects/{project}/diff?from=1&to=1")).await.is(200).json;
    assert_eq!(diff["changes"].as_array().map(Vec::len), Some(0));
    assert_eq!(head(&pool, &project).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_tree_keeps_nobody_from_folding() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let readers = join_all(["ada", "bob", "eve", "grace", "mia", "zoe"].map(|name| server.person(name))).await;
    let tree = hold(&world, "log_leaves").await;
    let ada = &readers[0];
    let path = format!("/projects/{}", ada.project("Apollo").await);
    ada.patch(&path, json!({"is_public": true})).await.is(200);
    // Each may have two at a time. One after the other, three at a time, they would wait for longer than a place is waited for.
    let diff = format!("{path}/diff");
    let replies = join_all(readers.iter().chain(&readers).map(|reader| reader.get(&diff))).await;
    for reply in replies {
        let diff = reply.is(200).json;
        let roots = [&diff["from"]["feed_root"], &diff["to"]["feed_root"]];
        assert_eq!(roots, [&Value::Null; 2], "the tree is behind");
    }
    drop(tree);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_state_arrives_whole() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let tasks = format!("/projects/{project}/tasks");
    for number in 0..60 {
        let task = json!({"title": number.to_string(), "description": "x".repeat(9000)});
        ada.post(&tasks, task).await.is(201);
    }
    let state = ada.get(&format!("/projects/{project}/state")).await.is(200);
    assert!(state.text.len() > 512 * 1024, "it is sent in pieces");
    assert_eq!(state.header("content-length"), state.text.len().to_string());
    assert_eq!(state.json["tasks"].as_array().map(Vec::len), Some(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_of_a_deleted_project_are_not_made() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let project = long(&ada, &pool, 1500).await;
    let id = project.parse().expect("an id");
    assert!(!is_deleted(&pool, id).await.expect("an answer"));
    let path = format!("/projects/{project}");
    ada.delete(&path).await.is(204);
    assert!(is_deleted(&pool, id).await.expect("an answer"));
    ada.get(&format!("{path}/state?as_of=1400")).await.is(200);
    assert_eq!(kept(&pool, &project).await, Vec::<i64>::new());
}
