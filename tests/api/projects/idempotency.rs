//! `Idempotency-Key` on what creates.

use futures::future::join_all;
use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_body_get_the_same_reply_again() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let keyed = ada.with_header("idempotency-key", "k-1");
    let first = keyed.post("/projects", json!({"name": "Apollo"})).await.is(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    ada.patch(&format!("/projects/{}", first.id()), json!({"name": "Changed since"})).await.is(200);
    for _ in 0..2 {
        let again = keyed.post("/projects", json!({"name": "Apollo"})).await.is(201);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.text, first.text);
        for header in ["location", "etag", "workroom-position", "content-type"] {
            assert_eq!(again.header(header), first.header(header), "{header}");
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_request() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let keyed = ada.with_header("idempotency-key", "k-1");
    let project = keyed.post("/projects", json!({"name": "Apollo"})).await.is(201).id();
    keyed.post("/projects", json!({"name": "Artemis"})).await.problem(422);
    // The same body to another address is another request.
    let members = format!("/projects/{project}/members");
    keyed.post(&members, json!({"email": grace.email})).await.problem(422);
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 1);

    let invitation = ada.with_header("idempotency-key", "k-2");
    let added = invitation.post(&members, json!({"email": grace.email})).await.is(201);
    let again = invitation.post(&members, json!({"email": grace.email})).await.is(201);
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (added.text.as_str(), "true"));
    ada.post(&members, json!({"email": grace.email})).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_different_people_are_different_keys() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let body = json!({"name": "Apollo"});
    let adas = ada.with_header("idempotency-key", "same").post("/projects", body.clone()).await.is(201);
    let graces = grace.with_header("idempotency-key", "same").post("/projects", body).await.is(201);
    assert_ne!(adas.id(), graces.id());
    assert_eq!(graces.header("idempotent-replayed"), "");
    assert_eq!(graces.json["created_by"], grace.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_one_key_at_once_are_carried_out_once() {
    let world = World::new().await;
    let server = world.server().await;
    let other = world.server_with(&["--roles", "api,projector"], &[]).await;
    let ada = server.person("ada").await;
    for round in 0..5 {
        let keyed = ada.with_header("idempotency-key", &format!("round {round}"));
        let there = keyed.at(&other.address);
        let replies = join_all((0..16).map(|n| {
            let client = if n % 2 == 0 { &keyed } else { &there };
            async move { client.post("/projects", json!({"name": "Once"})).await }
        }))
        .await;
        let (done, running): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        running.into_iter().for_each(|reply| drop(reply.problem(409)));
        assert!(!done.is_empty());
        assert!(done.iter().all(|reply| reply.id() == done[0].id()));
        assert_eq!(done.iter().filter(|reply| reply.header("idempotent-replayed").is_empty()).count(), 1);
    }
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_may_be_tried_again_under_its_key() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let keyed = ada.with_header("idempotency-key", "again");
    let members = format!("/projects/{project}/members");
    keyed.post(&members, json!({"email": grace.email})).await.problem(409);
    ada.delete(&format!("{members}/{}", grace.id)).await.is(204);
    keyed.post(&members, json!({"email": grace.email})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let longest = "k".repeat(255);
    ada.with_header("idempotency-key", &longest).post("/projects", json!({"name": "Apollo"})).await.is(201);
    for key in ["", &"k".repeat(256), "schlüssel"] {
        ada.with_header("idempotency-key", key).post("/projects", json!({"name": "Apollo"})).await.problem(400);
    }
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 1);
}
