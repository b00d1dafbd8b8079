//! `/organizations`

mod auditor;
mod guests;
mod members;
mod projects;

use serde_json::{Value, json};

use crate::support::{Person, World};

/// Founds an organization of this name; returns its id.
pub async fn organization(person: &Person, name: &str) -> String {
    person.post("/organizations", json!({"name": name})).await.is(201).id()
}

/// Founds an organization of this name whose projects take guests; returns its id.
pub async fn organization_with_guests(person: &Person, name: &str) -> String {
    let body = json!({"name": name, "settings": {"allow_guests": true}});
    person.post("/organizations", body).await.is(201).id()
}

/// Adds somebody to an organization.
pub async fn add(person: &Person, organization: &str, other: &Person, role: &str) {
    let body = json!({"email": other.email, "role": role});
    person.post(&format!("/organizations/{organization}/members"), body).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_has_a_personal_organization_from_registration() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let listed = grace.get("/organizations").await.is(200);
    let [personal] = listed.items().as_slice() else { panic!("one: {}", listed.text) };
    assert_eq!((&personal["is_personal"], &personal["role"]), (&json!(true), &json!("admin")));
    assert_eq!(
        (&personal["member_count"], &personal["settings"]["members_can_create_projects"]),
        (&json!(1), &json!(true))
    );
    // Not "ada": an id is written in letters up to f, and may hold just these.
    assert!(!personal.to_string().contains("grace"), "it says nothing of the person: {personal}");
    let path = format!("/organizations/{}", personal["id"].as_str().expect("an id"));
    assert_eq!(&grace.get(&path).await.is(200).json, personal);
    let project = grace.project("Apollo").await;
    assert_eq!(grace.get(&format!("/projects/{project}")).await.is(200).json["organization_id"], personal["id"]);
    ada.get(&path).await.problem(404);
    grace.delete(&path).await.problem(409);
    grace.delete(&format!("{path}/members/{}", grace.id)).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_is_founded_changed_and_deleted() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let body = json!({
        "name": " Acme, Inc. ", "slug": "acme", "image_url": "https://example.com/a.png",
        "settings": {"members_can_create_projects": true},
    });
    let created = ada.post("/organizations", body).await.is(201);
    let path = format!("/organizations/{}", created.id());
    assert_eq!(created.header("location"), format!("/api/v1{path}"));
    assert_eq!((&created.json["name"], &created.json["slug"]), (&json!("Acme, Inc."), &json!("acme")));
    let read = ada.get(&path).await.is(200);
    assert_eq!((&read.json, read.header("etag")), (&created.json, created.header("etag")));
    ada.with_header("if-none-match", read.header("etag")).get(&path).await.is(304);
    let change = json!({"name": "Ajax", "slug": "ajax", "image_url": null});
    let changed = ada.with_header("if-match", read.header("etag")).patch(&path, change.clone()).await.is(200);
    assert_eq!((&changed.json["name"], &changed.json["image_url"]), (&json!("Ajax"), &json!(null)));
    assert_eq!(changed.json["settings"]["members_can_create_projects"], true);
    ada.with_header("if-match", read.header("etag")).patch(&path, change).await.problem(412);
    let history = ada.get(&format!("{path}/events")).await.is(200);
    let types: Vec<_> = history.items().iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!(types, ["OrganizationCreated", "SlugClaimed", "SlugClaimed", "SlugReleased", "OrganizationUpdated"]);
    assert_eq!(history.items()[4]["data"]["changes"]["name"], json!({"from": "Acme, Inc.", "to": "Ajax"}));
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": created.id()})).await.is(201).id();
    ada.delete(&path).await.problem(409);
    ada.delete(&format!("/projects/{project}")).await.is(204);
    ada.delete(&path).await.is(204);
    ada.get(&path).await.problem(404);
    ada.post("/projects", json!({"name": "Apollo", "organization_id": created.id()})).await.problem(404);
    ada.post("/organizations", json!({"name": "Ajax", "slug": "ajax"})).await.is(201);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_organizations_have_the_same_slug_whoever_is_quicker() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let racing = (0..16).map(|n| {
        let client = if n % 2 == 0 { ada.clone() } else { ada.at(&there.address) };
        async move { client.post("/organizations", json!({"name": "Acme", "slug": "acme"})).await.status }
    });
    let mut statuses = futures::future::join_all(racing).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 15][..]));
    // Without a slug of one's own, one is found.
    let racing = (0..8).map(|_| async { ada.post("/organizations", json!({"name": "Acme"})).await.is(201).json });
    let made: Vec<Value> = futures::future::join_all(racing).await;
    let slugs: std::collections::BTreeSet<_> = made.iter().map(|o| o["slug"].as_str().expect("a slug")).collect();
    assert_eq!(slugs.len(), 8);
    assert!(slugs.iter().all(|slug| slug.starts_with("acme-")), "{slugs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slug_of_a_personal_organization_is_its_own() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let listed = ada.get("/organizations").await.is(200);
    let personal = &listed.items()[0];
    let slug = personal["slug"].as_str().expect("a slug");
    grace.post("/organizations", json!({"name": "Acme", "slug": slug})).await.problem(409);
    let acme = organization(&grace, "Acme").await;
    grace.patch(&format!("/organizations/{acme}"), json!({"slug": slug})).await.problem(409);
    // A name that makes the same slug is given another one.
    let made = grace.post("/organizations", json!({"name": slug.replace('-', " ")})).await.is(201).json;
    assert_ne!(made["slug"], slug);
    // It stays reserved while its organization goes by another one, which may take it again.
    let path = format!("/organizations/{}", personal["id"].as_str().expect("an id"));
    ada.patch(&path, json!({"slug": "ada-s-own"})).await.is(200);
    grace.post("/organizations", json!({"name": "Acme", "slug": slug})).await.problem(409);
    grace.post("/organizations", json!({"name": "Acme", "slug": "ada-s-own"})).await.problem(409);
    ada.patch(&path, json!({"slug": slug})).await.is(200);
    grace.post("/organizations", json!({"name": "Acme", "slug": "ada-s-own"})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_organization_is_refused_with_the_field_named() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(201))),
        ("slug", json!("A B")),
        ("slug", json!("a")),
        ("slug", json!("-a-")),
        ("image_url", json!("javascript:alert(1)")),
        ("image_url", json!("x".repeat(3000))),
        ("settings", json!({"anything": true})),
        ("settings", json!("none")),
        ("is_personal", json!(true)),
    ] {
        let mut body = json!({"name": "Acme"});
        body[field] = value.clone();
        let refused = ada.post("/organizations", body).await.problem(422);
        let pointer = refused.json["errors"][0]["pointer"].as_str().expect("a pointer");
        assert!(pointer.starts_with(&format!("/{field}")) || pointer.is_empty(), "{field} {value}: {}", refused.text);
    }
}
