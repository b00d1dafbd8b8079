//! `workroom audit access`: law 9, proved from the log alone.

mod by_command;
mod export;
mod guide;
mod over_http;
mod redacted;
mod tables;
mod trail;
mod verifiers;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Person, World};

/// Plants an event, as nobody but a superuser could: a copy of the last one of this type in this project, by this actor.
async fn plant(pool: &PgPool, project: &str, event_type: &str, payload: Option<&str>, actor: &str) -> i64 {
    sqlx::query_scalar(
        "INSERT INTO events
         SELECT (SELECT max(position) + 1 FROM events), gen_random_uuid(), feed_id,
                (SELECT max(feed_seq) + 1 FROM events f WHERE f.feed_id = e.feed_id), aggregate_type, aggregate_id,
                (SELECT max(sequence) + 1 FROM events s
                 WHERE s.aggregate_type = e.aggregate_type AND s.aggregate_id = e.aggregate_id),
                event_type, event_version, COALESCE($3::json, payload),
                jsonb_set(metadata::jsonb, '{actor}', to_jsonb($4))::json, recorded_at
         FROM events e WHERE feed_id = $1::uuid AND event_type = $2 ORDER BY position DESC LIMIT 1
         RETURNING position",
    )
    .bind(project)
    .bind(event_type)
    .bind(payload)
    .bind(actor)
    .fetch_one(pool)
    .await
    .expect("a planted event")
}

#[tokio::test]
async fn every_planted_violation_is_found_where_it_is() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    ada.invite(&project, &grace, "collaborator").await;
    grace.patch(&path, json!({"description": "allowed"})).await.is(200);
    ada.patch(&format!("{path}/members/{}", grace.id), json!({"role": "viewer"})).await.is(200);
    let job = ada.run_python("print(1)", Some(&project)).await;
    ada.finished(&job).await;
    assert!(server.stop().await);
    let pool = world.pool().await;
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved && text.contains(" 0 violations"), "{text}");

    let joins = json!({"type": "MemberAdded", "account_id": eve.id, "role": "owner"}).to_string();
    let [ada, grace, eve] = [&ada, &grace, &eve].map(|person| format!("account:{}", person.id));
    let mut planted = Vec::new();
    // A viewer, who was a collaborator before; a stranger; the service itself; a stranger who makes herself owner; a
    // member who reports on a job in the worker's place.
    for (event_type, payload, actor) in [
        ("ProjectUpdated", None, grace.as_str()),
        ("ProjectUpdated", None, &eve),
        ("ProjectUpdated", None, "system:worker"),
        ("MemberAdded", Some(joins.as_str()), &eve),
        ("JobRequested", None, &grace),
        ("JobSucceeded", None, &ada),
    ] {
        planted.push((plant(&pool, &project, event_type, payload, actor).await, event_type, actor.to_owned()));
    }
    // What an owner by a forged event does is lawful by the membership, so it is not counted again.
    plant(&pool, &project, "ProjectUpdated", None, &eve).await;
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(!proved, "{text}");
    for (position, event_type, actor) in &planted {
        assert!(text.contains(&format!("position {position}: {event_type} by {actor}")), "{position}: {text}");
    }
    assert!(text.contains(&format!(" {} violations", planted.len())), "{text}");
}

/// Plants an event of any aggregate, as nobody but a superuser could.
async fn insert(pool: &PgPool, feed: &str, aggregate: (&str, &str), payload: Value, actor: &str) -> i64 {
    sqlx::query_scalar(
        "INSERT INTO events
         SELECT l.position + 1, gen_random_uuid(), $1::uuid,
                COALESCE((SELECT max(feed_seq) FROM events WHERE feed_id = $1::uuid), 0) + 1, $2, $3,
                COALESCE((SELECT max(sequence) FROM events WHERE aggregate_type = $2 AND aggregate_id = $3), 0) + 1,
                $4->>'type', '1', $4, jsonb_set(l.metadata::jsonb, '{actor}', to_jsonb($5))::json, l.recorded_at
         FROM (SELECT * FROM events ORDER BY position DESC LIMIT 1) l
         RETURNING position",
    )
    .bind(feed)
    .bind(aggregate.0)
    .bind(aggregate.1)
    .bind(payload)
    .bind(actor)
    .fetch_one(pool)
    .await
    .expect("a planted event")
}

#[tokio::test]
async fn what_was_written_in_the_name_of_an_account_that_could_not_act_is_found() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    for person in [&ada, &grace] {
        person.patch(&format!("/projects/{project}"), json!({"description": person.id})).await.is(200);
    }
    assert!(server.stop().await);
    let pool = world.pool().await;
    let nobody = format!("account:{}", uuid::Uuid::now_v7());
    let [ada_is, grace_is] = [&ada, &grace].map(|person| format!("account:{}", person.id));
    let tell = async |person: &Person, event_type: &str| {
        let payload = json!({"type": event_type});
        insert(&pool, &person.id, ("account", &person.id), payload, "system:operator").await;
    };
    let mut planted = Vec::new();
    tell(&grace, "AccountDeactivated").await;
    planted.push((plant(&pool, &project, "ProjectUpdated", None, &grace_is).await, &grace_is));
    tell(&grace, "AccountReactivated").await;
    plant(&pool, &project, "ProjectUpdated", None, &grace_is).await;
    // An erasure by the account itself is lawful; what follows it is not, nor what somebody does who never was.
    insert(&pool, &grace.id, ("account", &grace.id), json!({"type": "AccountErased"}), &grace_is).await;
    planted.push((plant(&pool, &project, "ProjectUpdated", None, &grace_is).await, &grace_is));
    planted.push((plant(&pool, &project, "ProjectUpdated", None, &nobody).await, &nobody));
    plant(&pool, &project, "ProjectUpdated", None, &ada_is).await;
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(!proved, "{text}");
    for (position, actor) in &planted {
        assert!(text.contains(&format!("position {position}: ProjectUpdated by {actor}")), "{position}: {text}");
    }
    assert!(text.contains(&format!(" {} violations", planted.len())), "{text}");
}

#[tokio::test]
async fn a_project_that_its_organization_left_behind_is_found() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = crate::organizations::organization(&ada, "Acme").await;
    let body = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", body.clone()).await.is(201).id();
    let gone = ada.post("/projects", body).await.is(201).id();
    ada.delete(&format!("/projects/{gone}")).await.is(204);
    assert!(server.stop().await);
    let pool = world.pool().await;
    let actor = format!("account:{}", ada.id);
    let deleted = json!({"type": "OrganizationDeleted"});
    let position = insert(&pool, &acme, ("organization", &acme), deleted, &actor).await;
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(!proved && text.contains(" 1 violations"), "{text}");
    let said = format!("position {position}: OrganizationDeleted by {actor}");
    assert!(text.contains(&said) && text.contains(&project), "{text}");
}
