//! `PATCH` and `PUT /projects/{project_id}`

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_given_fields_change() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for method in [Method::PATCH, Method::PUT] {
        let creation = json!({"name": "Apollo", "description": "To the moon.", "priority": "high"});
        let before = ada.post("/projects", creation).await.is(201);
        let path = format!("/projects/{}", before.id());
        let change = json!({"name": "Artemis", "status": "active"}).to_string();
        let reply = ada.send(method.clone(), &path, Some(change)).await.is(200);
        let mut expected = before.json.clone();
        expected["name"] = "Artemis".into();
        expected["status"] = "active".into();
        expected["version"] = 2.into();
        expected["updated_at"] = reply.json["updated_at"].clone();
        assert_eq!(reply.json, expected, "{method}");
        assert!(reply.json["updated_at"].as_str() > before.json["updated_at"].as_str());
        assert_eq!(reply.header("etag"), "\"2\"");
        assert!(reply.position() > before.position());
        let read = ada.get(&path).await.is(200);
        assert_eq!(read.header("etag"), "\"2\"");
        assert_eq!(read.json["name"], "Artemis");

        let last = &ada.history(&before.id()).await[2];
        assert_eq!(last["event_type"], "ProjectUpdated");
        assert_eq!(last["position"], reply.position());
        let changes = last["data"]["changes"].as_object().unwrap();
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["name", "status"]);
        assert_eq!(changes["name"], json!({"from": "Apollo", "to": "Artemis"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_changes_nothing_is_no_event() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    for nothing in [json!({}), json!({"name": "Apollo"}), json!({"end_date": null, "is_public": false})] {
        let reply = ada.patch(&path, nothing).await.is(200);
        assert_eq!(reply.header("etag"), "\"1\"");
        assert!(reply.position() > 0);
    }
    assert_eq!(ada.history(&project).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_does_not_end_before_it_starts() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let creation = json!({"name": "Apollo", "start_date": "2026-11-10", "end_date": "2026-11-20"});
    let path = format!("/projects/{}", ada.post("/projects", creation).await.is(201).id());
    // Against the date that is not given, too.
    for change in [
        json!({"end_date": "2026-11-09"}),
        json!({"start_date": "2026-11-21"}),
        json!({"start_date": "2027-01-02", "end_date": "2027-01-01"}),
    ] {
        let reply = ada.patch(&path, change).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], "/end_date");
    }
    let moved = ada.patch(&path, json!({"start_date": "2027-01-01", "end_date": "2027-01-01"})).await.is(200).json;
    assert_eq!((&moved["start_date"], &moved["end_date"]), (&json!("2027-01-01"), &json!("2027-01-01")));
}

#[tokio::test(flavor = "multi_thread")]
async fn null_clears_a_date_and_only_a_date() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let creation = json!({"name": "Apollo", "start_date": "2026-11-10", "end_date": "2026-11-20"});
    let path = format!("/projects/{}", ada.post("/projects", creation).await.is(201).id());
    let open = ada.patch(&path, json!({"end_date": null})).await.is(200).json;
    assert_eq!((&open["start_date"], &open["end_date"]), (&json!("2026-11-10"), &Value::Null));
    let later = ada.patch(&path, json!({"start_date": "2030-01-01"})).await.is(200).json;
    assert_eq!((&later["start_date"], &later["end_date"]), (&json!("2030-01-01"), &Value::Null));
    let none = ada.patch(&path, json!({"start_date": null})).await.is(200).json;
    assert_eq!((&none["start_date"], &none["end_date"]), (&Value::Null, &Value::Null));
    assert_eq!(ada.get(&path).await.is(200).json["start_date"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    for (pointer, body) in [
        ("/name", json!({"name": ""})),
        ("/name", json!({"name": "x".repeat(201)})),
        ("/description", json!({"description": "x".repeat(20_001)})),
        ("/status", json!({"status": "done"})),
        ("/priority", json!({"priority": "none"})),
        ("/is_public", json!({"is_public": 1})),
        ("/start_date", json!({"start_date": "tomorrow"})),
        ("/end_date", json!({"end_date": 20_261_120})),
        ("/organization_id", json!({"organization_id": ada.id})),
        ("/version", json!({"name": "Good", "version": 1})),
    ] {
        let reply = ada.patch(&path, body.clone()).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{body}: {}", reply.text);
    }
    assert_eq!(ada.history(&project).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_meant_for_another_version_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let fresh = ada.get(&path).await.is(200).header("etag").to_owned();
    let first = ada.with_header("if-match", &fresh).patch(&path, json!({"name": "One"})).await.is(200);
    assert_ne!(first.header("etag"), fresh);
    for stale in [fresh.as_str(), "\"7\"", "\"\"", "1", "nonsense", "W/\"2\"", "\"-1\""] {
        let insisting = ada.with_header("if-match", stale);
        insisting.patch(&path, json!({"name": "Two"})).await.problem(412);
        insisting.put(&path, json!({"name": "Two"})).await.problem(412);
        insisting.delete(&path).await.problem(412);
    }
    assert_eq!(ada.get(&path).await.is(200).json["name"], "One");
    // Any version; one of several (RFC 9110, 13.1.1).
    ada.with_header("if-match", "*").patch(&path, json!({"name": "Three"})).await.is(200);
    ada.with_header("if-match", "\"2\", \"3\"").patch(&path, json!({"name": "Four"})).await.is(200);
    ada.with_header("if-match", "\"4\"").delete(&path).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_changes_meant_for_one_version_one_is_made() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let insisting = ada.with_header("if-match", "\"1\"");
    let replies = join_all((0..16).map(|n| insisting.patch(&path, json!({"name": format!("Racer {n}")})))).await;
    let (made, stale): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!(made.len(), 1);
    stale.into_iter().for_each(|reply| drop(reply.problem(412)));
    assert_eq!(ada.get(&path).await.is(200).json["name"], made[0].json["name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_changes_at_once_are_all_made() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let path = format!("/projects/{project}");
    let replies = join_all((0..16).map(|n| {
        let person = if n % 2 == 0 { &ada } else { &grace };
        let path = &path;
        async move { person.patch(path, json!({"name": format!("Name {n}")})).await }
    }))
    .await;
    let mut positions: Vec<_> = replies.into_iter().map(|reply| reply.is(200).position()).collect();
    positions.sort_unstable();
    let history = ada.history(&project).await;
    let updates: Vec<_> = history.iter().filter(|event| event["event_type"] == "ProjectUpdated").collect();
    assert_eq!(updates.len(), 16);
    assert_eq!(positions, updates.iter().map(|event| event["position"].as_i64().unwrap()).collect::<Vec<_>>());
    for pair in updates.windows(2) {
        assert_eq!(pair[0]["data"]["changes"]["name"]["to"], pair[1]["data"]["changes"]["name"]["from"]);
    }
    assert_eq!(ada.get(&path).await.is(200).json["name"], updates[15]["data"]["changes"]["name"]["to"]);
}
