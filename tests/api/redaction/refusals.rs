//! What is refused.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{events, redact};
use crate::{
    organizations::organization,
    state::hold,
    support::World,
    workspaces::{file, workspace},
};

pub const MET: &[&str] = &["already-redacted", "content-redacted", "file-redacted", "not-deleted", "nothing-to-redact"];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_redacted_is_refused_by_its_code() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let first = json!(1);
    let redacted = redact(&ada, &feed, &first).await.is(201).json;
    redact(&ada, &feed, &first).await.refused("already-redacted");
    // That something was redacted cannot be hidden, and roles are no text.
    redact(&ada, &feed, &redacted["seq"]).await.refused("nothing-to-redact");
    let added: Value = events(&ada, &feed, "MemberAdded").await.remove(0);
    redact(&ada, &feed, &added["seq"]).await.refused("nothing-to-redact");
    redact(&ada, &feed, &json!(1000)).await.refused("not-found");
    redact(&ada, &format!("/projects/{}", Uuid::now_v7()), &first).await.refused("not-found");
    for (reason, code) in [("", "empty"), (&*"x".repeat(201), "too-long"), ("a\nb", "forbidden-character")] {
        let reply = ada.post(&format!("{feed}/events/1/redact"), json!({"reason": reason})).await;
        reply.refused_field("/reason", code);
    }
    ada.post(&format!("{feed}/purge"), json!({"reason": "over"})).await.refused("not-deleted");

    let workspace = workspace(&ada, &project, "Lab").await;
    let id = file(&ada, &workspace, "a.txt", "text").await;
    let written: Value = events(&ada, &feed, "FileContentWritten").await.remove(0);
    redact(&ada, &feed, &written["seq"]).await.is(201);
    let content = format!("{workspace}/files/{}/content", id.rsplit('/').next().expect("an id"));
    ada.get(&content).await.refused("content-redacted");
    let room = workspace.rsplit('/').next().expect("an id");
    let program = || json!({"language": "bash", "workspace_id": room, "entry": "a.txt"});
    let reply = ada.post("/jobs", program()).await.refused("file-redacted");
    assert!(reply.text.contains("`a.txt`"), "{}", reply.text);
    ada.with_header("content-type", "text/plain")
        .send(reqwest::Method::PUT, &content, Some("new".to_owned()))
        .await
        .is(200);
    assert_eq!(ada.get(&content).await.is(200).text, "new");
    ada.post("/jobs", program()).await.is(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_one_key_an_event_is_redacted_once_and_answered_again() {
    let world = World::new().await;
    let (server, another) = (world.server().await, world.server().await);
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let acme = organization(&ada, "Acme").await;
    for feed in [format!("/projects/{project}"), format!("/organizations/{acme}")] {
        let first = json!(1);
        let keyed = ada.with_header("idempotency-key", &format!("key of {feed}"));
        let done = redact(&keyed, &feed, &first).await.is(201);
        assert_eq!(done.header("idempotent-replayed"), "");
        for server in [&server, &another] {
            let again = redact(&keyed.at(&server.address), &feed, &first).await.is(201);
            assert_eq!(again.header("idempotent-replayed"), "true");
            assert_eq!(again.json, done.json);
            for header in ["location", "workroom-position"] {
                assert_eq!(again.header(header), done.header(header));
            }
        }
        let other_reason = keyed.post(&format!("{feed}/events/1/redact"), json!({"reason": "another"})).await;
        other_reason.refused("idempotency-key-reused");
        redact(&keyed, &feed, &json!(2)).await.refused("idempotency-key-reused");
        redact(&ada, &feed, &first).await.refused("already-redacted");
        assert_eq!(events(&ada, &feed, "PayloadRedacted").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_redacts() {
    let world = World::new().await;
    let server = world.server().await;
    let another = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let there = ada.at(another.client().address());
    let first = json!(1);
    let racing = (0..8).map(|n| redact(if n % 2 == 0 { &ada } else { &there }, &feed, &first));
    let mut replies: Vec<u16> = futures::future::join_all(racing).await.iter().map(|reply| reply.status).collect();
    replies.sort_unstable();
    assert_eq!(replies, [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(events(&ada, &feed, "PayloadRedacted").await.len(), 1);
}

#[tokio::test]
async fn no_payload_changes_in_silence() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    ada.project("Apollo").await;
    let pool = world.pool().await;
    crate::support::eventually("leaves", async || {
        let all: bool = sqlx::query_scalar("SELECT (SELECT count(*) FROM events) = (SELECT count(*) FROM log_leaves)")
            .fetch_one(&pool)
            .await
            .expect("counts");
        all
    })
    .await;
    // Even who owns the log says so by an event, or does not do it.
    for statement in [
        "UPDATE events SET payload = '{}' WHERE event_type = 'ProjectCreated'",
        "SELECT redact_payload(position, event_id, replace(payload::text, 'Apollo', '[redacted]')) FROM events
         WHERE event_type = 'ProjectCreated'",
        "UPDATE log_leaves SET salt = NULL, commitment = hash WHERE position = 1",
    ] {
        let error = sqlx::query(statement).execute(&pool).await.expect_err(statement).to_string();
        assert!(error.contains("says so") || error.contains("when its event is redacted"), "{statement}: {error}");
    }
    let salted: i64 = sqlx::query_scalar("SELECT count(*) FROM log_leaves WHERE salt IS NULL")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(salted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_redact_is_told_at_once_while_the_tree_is_behind() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let feed = format!("/projects/{project}");
    let tree = hold(&world, "log_leaves").await;
    let position = ada.patch(&feed, json!({"description": "posted by mistake"})).await.is(200).position();
    let changed = events(&ada, &feed, "ProjectUpdated").await.remove(0)["seq"].clone();
    redact(&eve, &feed, &changed).await.refused("not-found");
    redact(&eve, &feed, &json!(1000)).await.refused("not-found");
    redact(&grace, &feed, &changed).await.refused("forbidden");
    let leaves: i64 = sqlx::query_scalar("SELECT max(position) FROM log_leaves")
        .fetch_one(&world.pool().await)
        .await
        .expect("the size of the tree");
    assert!(leaves < position, "the tree is behind all the while");
    drop(tree);
    redact(&ada, &feed, &changed).await.is(201);
}
