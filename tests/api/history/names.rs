//! Who caused an event, by name: looked up when a history is read.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    organizations::{add, organization},
    support::{Client, Person, World},
};

/// Who caused an event, as this reader is told.
async fn named(reader: &Client, feed: &str, seq: i64) -> Value {
    let one = reader.get(&format!("{feed}/events/{seq}")).await.is(200).json;
    let list = reader.get(&format!("{feed}/events?after={}&limit=1", seq - 1)).await.is(200);
    assert_eq!(list.items()[0], one, "the list and the single event say the same");
    json!([one["actor_name"], one["actor_status"]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_names_who_did_what_as_they_are_called_now() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let feed = format!("/projects/{project}");
    grace.patch(&feed, json!({"name": "Gemini", "is_public": true})).await.is(200);
    assert_eq!(named(&ada, &feed, 3).await, json!(["ada", "active"]));
    assert_eq!(named(&ada, &feed, 4).await, json!(["grace", "active"]));
    assert_eq!(named(&eve, &feed, 4).await, json!([null, null]), "a visitor is told no names");
    // The name is looked up, not recorded.
    let stored = grace.get(&format!("{feed}/events/4")).await.is(200).json["data"].clone();
    assert!(!stored.to_string().contains("grace"), "{stored}");
    grace.patch("/auth/me", json!({"full_name": "Grace Hopper"})).await.is(200);
    assert_eq!(named(&ada, &feed, 4).await, json!(["Grace Hopper", "active"]));
    grace.patch("/auth/me", json!({"full_name": null, "username": "amazing-grace"})).await.is(200);
    assert_eq!(named(&ada, &feed, 4).await, json!(["amazing-grace", "active"]));

    let (done, text) = world.command(&["accounts", "deactivate", &grace.email]).await;
    assert!(done, "{text}");
    assert_eq!(named(&ada, &feed, 4).await, json!(["amazing-grace", "deactivated"]));
    let (done, text) = world.command(&["accounts", "reactivate", &grace.email]).await;
    assert!(done, "{text}");
    erase(&server.client(), &grace).await;
    assert_eq!(named(&ada, &feed, 4).await, json!([null, "erased"]));
    assert_eq!(named(&ada, &feed, 1).await, json!(["ada", "active"]));
}

/// Has somebody erase their account.
async fn erase(anybody: &Client, person: &Person) {
    let login = json!({"email": person.email, "password": person.password});
    let token = anybody.post("/auth/login", login).await.is(200).json["access_token"].clone();
    let person_again = anybody.with_token(token.as_str().expect("a token"));
    let body = json!({"password": person.password}).to_string();
    person_again.send(Method::DELETE, "/auth/me", Some(body)).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_shown_so_in_the_history_of_an_organization() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "admin").await;
    let feed = format!("/organizations/{acme}");
    grace.patch(&feed, json!({"name": "Emca"})).await.is(200);
    let events = ada.get(&format!("{feed}/events?actor={}", grace.id)).await.is(200).items().clone();
    let [renamed] = events.as_slice() else { panic!("one: {events:?}") };
    assert_eq!(renamed["event_type"], "OrganizationUpdated");
    let seq = renamed["seq"].as_i64().expect("a place");
    assert_eq!(named(&ada, &feed, seq).await, json!(["grace", "active"]));

    let (done, text) = world.command(&["accounts", "deactivate", &grace.email]).await;
    assert!(done, "{text}");
    assert_eq!(named(&ada, &feed, seq).await, json!(["grace", "deactivated"]));
    let (done, text) = world.command(&["accounts", "reactivate", &grace.email]).await;
    assert!(done, "{text}");
    erase(&server.client(), &grace).await;
    // Found by the same id: nobody knows any more whose that was, neither of what they did nor of their leave.
    let events = ada.get(&format!("{feed}/events?actor={}", grace.id)).await.is(200).items().clone();
    assert!(events.iter().any(|event| event["seq"] == seq), "{events:?}");
    for event in &events {
        let seq = event["seq"].as_i64().expect("a place");
        assert_eq!(named(&ada, &feed, seq).await, json!([null, "erased"]), "{event}");
    }
    assert_eq!(named(&ada, &feed, 1).await, json!(["ada", "active"]));
    let whole = ada.get(&format!("{feed}/events?limit=100")).await.is(200);
    assert!(!whole.text.contains("grace"), "{}", whole.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_and_accounts_name_who_did_what_too() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    assert_eq!(named(&grace, &format!("/organizations/{acme}"), 1).await, json!(["ada", "active"]));
    let project = ada.project("Apollo").await;
    let job = ada.run_python("print(1)", Some(&project)).await;
    ada.finished(&job).await;
    let history = ada.history(&project).await;
    let told = |event_type: &str| {
        let event = history.iter().find(|event| event["event_type"] == event_type).expect("an event");
        json!([event["actor_name"], event["actor_status"]])
    };
    assert_eq!(told("JobRequested"), json!(["ada", "active"]));
    assert_eq!(told("JobSucceeded"), json!([null, "system"]));
    let own = ada.get("/auth/me/events").await.is(200);
    let signed_in = own.items().iter().find(|event| event["event_type"] == "SessionStarted").expect("an event");
    assert_eq!((&signed_in["actor_name"], &signed_in["actor_status"]), (&json!("ada"), &json!("active")));
}
