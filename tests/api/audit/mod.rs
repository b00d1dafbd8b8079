//! `workroom audit access`: law 9, proved from the log alone.

use serde_json::json;
use sqlx::PgPool;

use crate::support::World;

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
    // What an owner by a forged event does is lawful by the roster, so it is not counted again.
    plant(&pool, &project, "ProjectUpdated", None, &eve).await;
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(!proved, "{text}");
    for (position, event_type, actor) in &planted {
        assert!(text.contains(&format!("position {position}: {event_type} by {actor}")), "{position}: {text}");
    }
    assert!(text.contains(&format!(" {} violations", planted.len())), "{text}");
}
