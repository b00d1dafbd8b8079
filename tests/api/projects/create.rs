//! `POST /projects`

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_project_needs_only_a_name() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = ada.post("/projects", json!({"name": "  Apollo "})).await.is(201);
    let id = reply.id();
    assert_eq!(reply.header("location"), format!("/api/v1/projects/{id}"));
    assert_eq!(reply.header("etag"), "\"1\"");
    assert!(reply.position() > 0);
    let me = ada.get("/auth/me").await.is(200).json;
    let expected = json!({
        "id": id, "organization_id": me["personal_organization_id"], "name": "Apollo", "description": "",
        "is_public": false, "status": "planning", "priority": "medium", "start_date": null, "end_date": null, "team_lead": null, "edit_policy": "collaborators", "lead_can_add_members": false,
        "created_by": ada.id, "created_at": reply.json["created_at"], "updated_at": reply.json["created_at"],
        "version": 1, "role": "owner", "member_count": 1,
    });
    assert_eq!(reply.json, expected);
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 7);

    let read = ada.get(&format!("/projects/{id}")).await.is(200);
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&read.json[field], value, "what was replied is what is read: {field}");
    }
    assert_eq!(read.header("etag"), reply.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_keeps_every_field_it_is_founded_with() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let organization = ada.get("/auth/me").await.is(200).json["personal_organization_id"].clone();
    let body = json!({
        "name": "Ариадна ✨", "description": "First line.\n\tSecond line.", "organization_id": organization,
        "is_public": true, "status": "on_hold", "priority": "high",
        "start_date": "2026-11-20", "end_date": "2026-11-20",
    });
    let reply = ada.post("/projects", body.clone()).await.is(201);
    let read = ada.get(&format!("/projects/{}", reply.id())).await.is(200);
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&reply.json[field], value, "{field}");
        assert_eq!(&read.json[field], value, "{field}");
    }
    for status in ["planning", "active", "on_hold", "completed", "cancelled"] {
        let reply = ada.post("/projects", json!({"name": status, "status": status})).await.is(201);
        assert_eq!(reply.json["status"], status);
    }
    for priority in ["low", "medium", "high"] {
        let reply = ada.post("/projects", json!({"name": priority, "priority": priority})).await.is(201);
        assert_eq!(reply.json["priority"], priority);
    }
    let at_the_limit = json!({"name": "ü".repeat(200), "description": "ü".repeat(20_000)});
    ada.post("/projects", at_the_limit).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_refused_by_name_and_founds_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let refused = [
        ("/name", json!({"name": ""})),
        ("/name", json!({"name": " \t "})),
        ("/name", json!({"name": "x".repeat(201)})),
        ("/name", json!({"name": "two\nlines"})),
        ("/name", json!({"name": null})),
        ("/name", json!({"name": 7})),
        ("/description", json!({"name": "x", "description": "x".repeat(20_001)})),
        ("/description", json!({"name": "x", "description": "\u{7}"})),
        ("/status", json!({"name": "x", "status": "Active"})),
        ("/status", json!({"name": "x", "status": "archived"})),
        ("/priority", json!({"name": "x", "priority": "urgent"})),
        ("/priority", json!({"name": "x", "priority": 1})),
        ("/is_public", json!({"name": "x", "is_public": "yes"})),
        ("/organization_id", json!({"name": "x", "organization_id": "mine"})),
        ("/start_date", json!({"name": "x", "start_date": "20.11.2026"})),
        ("/start_date", json!({"name": "x", "start_date": "2026-02-29"})),
        ("/end_date", json!({"name": "x", "end_date": "2026-11-20T00:00:00Z"})),
        ("/end_date", json!({"name": "x", "end_date": ""})),
        ("/end_date", json!({"name": "x", "start_date": "2026-11-20", "end_date": "2026-11-19"})),
        ("/id", json!({"name": "x", "id": Uuid::now_v7()})),
        ("/created_by", json!({"name": "x", "created_by": ada.id})),
    ];
    for (pointer, body) in refused {
        let reply = ada.post("/projects", body.clone()).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{body}: {}", reply.text);
        assert!(reply.json["errors"][0]["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
    }
    ada.post("/projects", json!({})).await.problem(422);
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_beyond_what_the_service_can_keep_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for date in ["-9999-01-01", "-4714-01-01", "-0001-01-01", "0000-00-00", "+10000-01-01", "99999-01-01"] {
        let reply = ada.post("/projects", json!({"name": "x", "start_date": date})).await;
        assert_eq!(reply.status, 422, "{date}: {}", reply.text);
    }
    for date in ["0001-01-01", "9999-12-31"] {
        let reply = ada.post("/projects", json!({"name": "x", "start_date": date})).await.is(201);
        assert_eq!(reply.header("workroom-visible"), "", "{date}");
        assert_eq!(ada.get(&format!("/projects/{}", reply.id())).await.is(200).json["start_date"], date);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_can_only_be_founded_in_an_organization_of_ones_own() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let grace = server.person("grace").await;
    let graces = grace.get("/auth/me").await.is(200).json["personal_organization_id"].clone();
    let unknown = ada.post("/projects", json!({"name": "x", "organization_id": Uuid::now_v7()})).await.problem(404);
    let hers = ada.post("/projects", json!({"name": "x", "organization_id": graces})).await.problem(404);
    assert_eq!(unknown.json["detail"], hers.json["detail"], "nobody learns which organizations there are");
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_project_is_one_of_its_own_and_of_its_founder() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let replies = futures::future::join_all((0..20).map(|_| ada.post("/projects", json!({"name": "Twin"})))).await;
    let mut positions = HashSet::new();
    let mut ids = HashSet::new();
    for reply in replies {
        let reply = reply.is(201);
        assert!(positions.insert(reply.position()) && ids.insert(reply.id()));
    }
    let listed = ada.get("/projects?limit=100").await.is(200);
    assert_eq!(listed.items().len(), 20, "each is visible once its reply is here");
    assert_eq!(listed.json["next_cursor"], Value::Null);
}
