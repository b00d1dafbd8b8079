//! Who may redact what.

use serde_json::{Value, json};

use super::{events, redact};
use crate::{
    organizations::{add, organization},
    support::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn owners_redact_in_projects_admins_in_organizations_and_everybody_their_own() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    let body = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", body).await.is(201).id();
    ada.invite(&project, &grace, "collaborator").await;
    let (in_project, in_organization) = (format!("/projects/{project}"), format!("/organizations/{acme}"));
    // Who wrote it may not: it is the project's.
    let task = grace.post(&format!("{in_project}/tasks"), json!({"title": "Launch"})).await.is(201);
    let [created]: [Value; 1] = events(&ada, &in_project, "TaskCreated").await.try_into().expect("one");
    for feed in [&in_project, &in_organization] {
        redact(&grace, feed, &json!(1)).await.refused("forbidden");
        redact(&eve, feed, &json!(1)).await.refused("not-found");
    }
    redact(&grace, &in_project, &created["seq"]).await.refused("forbidden");
    redact(&ada, &in_project, &created["seq"]).await.is(201);
    redact(&ada, &in_organization, &json!(1)).await.is(201);
    assert_eq!(ada.get(&in_organization).await.is(200).json["name"], "[redacted]");
    drop(task);

    let job = json!({"type": "noop", "key": "canary-key", "run_at": "2100-01-01T00:00:00Z"});
    let job = grace.job(job).await;
    let [requested]: [Value; 1] = events(&grace, "/auth/me", "JobRequested").await.try_into().expect("one");
    let token = grace.post("/auth/tokens", json!({"name": "t"})).await.is(201).json["token"].clone();
    let token = grace.with_token(token.as_str().expect("a token"));
    redact(&token, "/auth/me", &requested["seq"]).await.problem(403);
    grace.cancel(&job).await.is(200);
    redact(&grace, "/auth/me", &requested["seq"]).await.is(201);
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_service_redacts_by_command() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("canary-project").await;
    let feed = format!("/projects/{project}");
    let first = ada.get(&format!("{feed}/events/1")).await.is(200).json;
    let position = first["position"].to_string();
    let redact = ["audit", "redact", "--position", &position, "--reason", "a court order"];
    let (done, text) = world.command(&redact).await;
    assert!(done && text.contains(&format!("position {position} is redacted")), "{text}");
    let [told]: [Value; 1] = events(&ada, &feed, "PayloadRedacted").await.try_into().expect("one");
    assert_eq!((&told["actor"], &told["data"]["reason"]), (&json!("system:operator"), &json!("a court order")));
    let (done, text) = world.command(&redact).await;
    assert!(!done && text.contains("redacted before"), "{text}");
    let (done, text) = world.command(&["audit", "redact", "--position", "100000", "--reason", "none"]).await;
    assert!(!done && text.contains("no such event"), "{text}");
    let (done, text) = world.command(&["audit", "redact", "--position", &position, "--reason", " "]).await;
    assert!(!done && text.contains("must not be empty"), "{text}");
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
}
