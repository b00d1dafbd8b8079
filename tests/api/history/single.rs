//! `GET …/events/{seq}`: one event, by its place in the feed.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    organizations::{add, organization},
    support::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_read_by_its_place_as_the_list_shows_it() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let acme = organization(&ada, "Acme").await;
    for feed in [format!("/projects/{project}"), format!("/organizations/{acme}"), "/auth/me".to_owned()] {
        let list = ada.get(&format!("{feed}/events?limit=100")).await.is(200);
        assert!(list.items().len() >= 2, "{}", list.text);
        for event in list.items() {
            assert_eq!(&ada.get(&format!("{feed}/events/{}", event["seq"])).await.is(200).json, event);
        }
        let beyond = list.items().len() + 1;
        for nowhere in [beyond.to_string(), "0".to_owned(), "-1".to_owned(), i64::MAX.to_string()] {
            ada.get(&format!("{feed}/events/{nowhere}")).await.refused("not-found");
        }
        for wrong in ["9223372036854775808", "1.5", "x", "%00", &Uuid::now_v7().to_string()] {
            ada.get(&format!("{feed}/events/{wrong}")).await.problem(404);
        }
        ada.get(&format!("{feed}/events/1?names=true")).await.problem(422);
        server.client().get(&format!("{feed}/events/1")).await.problem(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_seen_by_whoever_may_see_the_history() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let path = format!("/projects/{project}/events");
    grace.get(&format!("{path}/3")).await.is(200);
    // A stranger is told the same of every place, whether there is an event or not.
    for seq in [1, 3, 1000] {
        eve.get(&format!("{path}/{seq}")).await.problem(404);
    }
    ada.patch(&format!("/projects/{project}"), json!({"is_public": true})).await.is(200);
    let added = eve.get(&format!("{path}/3")).await.is(200).json;
    assert_eq!((&added["event_type"], &added["data"]), (&json!("MemberAdded"), &json!({"withheld": true})));
    assert_eq!(eve.get(&format!("{path}/1")).await.is(200).json["data"]["name"], "Apollo");
    eve.get(&format!("{path}/1000")).await.problem(404);

    ada.delete(&format!("/projects/{project}")).await.is(204);
    assert_eq!(ada.get(&format!("{path}/1")).await.is(200).json["event_type"], "ProjectCreated");
    for person in [&grace, &eve] {
        person.get(&format!("{path}/1")).await.problem(404);
    }
    // A feed that is no project's cannot be read through a project's address.
    ada.get(&format!("/projects/{}/events/1", ada.id)).await.problem(404);

    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    grace.get(&format!("/organizations/{acme}/events/1")).await.is(200);
    eve.get(&format!("/organizations/{acme}/events/1")).await.problem(404);
    let own = eve.get("/auth/me/events/1").await.is(200).json;
    assert_eq!((&own["feed_id"], &own["event_type"]), (&json!(eve.id), &json!("AccountRegistered")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_waited_for_is_found() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let created = ada.post("/projects", json!({"name": "Apollo"})).await.is(201);
    let project = format!("/projects/{}", created.id());
    let third = format!("{project}/events/3?min_position={}", created.position() + 1);
    let (waited, renamed) = tokio::join!(ada.get(&third), ada.patch(&project, json!({"name": "B"})));
    renamed.is(200);
    let waited: Value = waited.is(200).json;
    assert_eq!(waited["event_type"], "ProjectUpdated");
}
