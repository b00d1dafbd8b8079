//! `/organizations/{organization_id}/members`

use serde_json::json;

use super::{add, organization};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn members_are_added_listed_promoted_and_removed() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = organization(&ada, "Acme").await;
    let path = format!("/organizations/{acme}");
    let added = ada.post(&format!("{path}/members"), json!({"email": grace.email.to_uppercase()})).await.is(201);
    assert_eq!((&added.json["user_id"], &added.json["role"]), (&json!(grace.id), &json!("member")));
    ada.post(&format!("{path}/members"), json!({"email": grace.email})).await.problem(409);
    let listed = grace.get(&format!("{path}/members")).await.is(200);
    let people: Vec<_> = listed.items().iter().map(|m| (m["email"].clone(), m["role"].clone())).collect();
    assert_eq!(people, [(json!(ada.email), json!("admin")), (json!(grace.email), json!("member"))]);
    assert_eq!(grace.get(&path).await.is(200).json["member_count"], 2);
    let hers = format!("{path}/members/{}", grace.id);
    grace.patch(&hers, json!({"role": "admin"})).await.problem(403);
    assert_eq!(ada.patch(&hers, json!({"role": "admin"})).await.is(200).json["role"], "admin");
    grace.patch(&path, json!({"name": "Ajax"})).await.is(200);
    ada.patch(&hers, json!({"role": "owner"})).await.problem(422);
    grace.delete(&hers).await.is(204);
    grace.get(&path).await.problem(404);
    ada.delete(&hers).await.problem(404);
    ada.delete(&format!("{path}/members/{}", ada.id)).await.problem(409);
    ada.patch(&format!("{path}/members/{}", ada.id), json!({"role": "member"})).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_has_an_owners_rights_in_the_organizations_projects_as_long_as_they_are_one() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, grace, bob] = [server.person("ada").await, server.person("grace").await, server.person("bob").await];
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "admin").await;
    add(&ada, &acme, &bob, "member").await;
    let project = grace.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let path = format!("/projects/{project}");
    assert_eq!(ada.get(&path).await.is(200).json["role"], "owner");
    bob.get(&path).await.problem(404);
    ada.patch(&path, json!({"name": "Artemis"})).await.is(200);
    ada.invite(&project, &bob, "viewer").await;
    ada.post(&format!("{path}/tasks"), json!({"title": "Launch"})).await.is(201);
    bob.post(&format!("{path}/tasks"), json!({"title": "Land"})).await.problem(403);
    let listed = ada.get(&format!("/organizations/{acme}/projects")).await.is(200);
    assert_eq!(listed.items().len(), 1);
    assert_eq!(ada.get("/projects").await.is(200).items()[0]["id"], json!(project));
    // The viewer becomes an admin: more than a viewer at once.
    let bobs = format!("/organizations/{acme}/members/{}", bob.id);
    ada.patch(&bobs, json!({"role": "admin"})).await.is(200);
    assert_eq!(bob.get(&path).await.is(200).json["role"], "owner");
    bob.post(&format!("{path}/tasks"), json!({"title": "Land"})).await.is(201);
    ada.patch(&bobs, json!({"role": "member"})).await.is(200);
    bob.post(&format!("{path}/tasks"), json!({"title": "Crash"})).await.problem(403);
    grace.patch(&format!("/organizations/{acme}/members/{}", ada.id), json!({"role": "member"})).await.is(200);
    ada.get(&path).await.problem(404);
    ada.patch(&path, json!({"name": "Mine"})).await.problem(404);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_hands_over_before_the_account_is_erased() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    let erase = json!({"password": ada.password}).to_string();
    let refused = ada.send(reqwest::Method::DELETE, "/auth/me", Some(erase.clone())).await.problem(409);
    assert!(refused.text.contains("Acme"), "{}", refused.text);
    ada.patch(&format!("/organizations/{acme}/members/{}", grace.id), json!({"role": "admin"})).await.is(200);
    ada.send(reqwest::Method::DELETE, "/auth/me", Some(erase)).await.is(204);
    let listed = grace.get(&format!("/organizations/{acme}/members")).await.is(200);
    assert_eq!(listed.items().len(), 1);
}
