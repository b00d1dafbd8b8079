//! States that are kept on the way.

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::content;
use crate::support::{Person, World, eventually};

/// A project with a long history, of which the views know nothing yet.
pub(super) async fn long(ada: &Person, pool: &PgPool, events: i64) -> String {
    let project = ada.project("Apollo").await;
    let task = ada.post(&format!("/projects/{project}/tasks"), json!({"title": "0"})).await.is(201).id();
    sqlx::query(
        r#"INSERT INTO events
           SELECT (SELECT max(position) FROM events) + n, gen_random_uuid(), $1::uuid,
                  (SELECT max(feed_seq) FROM events WHERE feed_id = $1::uuid) + n, 'task', $2::text, 1 + n, 'TaskUpdated', '1',
                  json_build_object('type', 'TaskUpdated', 'changes', json_build_object('title',
                      json_build_object('from', (n - 1)::text, 'to', n::text))),
                  metadata, recorded_at
           FROM (SELECT * FROM events ORDER BY position DESC LIMIT 1) last, generate_series(1, $3::bigint) n"#,
    )
    .bind(Uuid::parse_str(&project).expect("an id"))
    .bind(task)
    .bind(events)
    .execute(pool)
    .await
    .expect("events");
    project
}

pub(super) async fn kept(pool: &PgPool, project: &str) -> Vec<i64> {
    sqlx::query_scalar("SELECT seq FROM project_states WHERE project_id = $1 ORDER BY seq")
        .bind(Uuid::parse_str(project).expect("an id"))
        .fetch_all(pool)
        .await
        .expect("places")
}

async fn states(ada: &Person, project: &str) -> Vec<Value> {
    let mut states = Vec::new();
    for place in [1, 3, 1023, 1024, 1025, 2048, 3000, 4500] {
        let state = ada.get(&format!("/projects/{project}/state?as_of={place}")).await.is(200).json;
        if place > 3 {
            assert_eq!(state["tasks"][0]["title"], (place - 3).to_string(), "each event has set the title");
        }
        states.push(state);
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_the_same_whether_others_were_kept_or_not() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let project = long(&ada, &pool, 5000).await;
    let folded = states(&ada, &project).await;
    eventually("states are kept", async || kept(&pool, &project).await == [1024, 2048, 3072, 4096]).await;
    assert_eq!(states(&ada, &project).await, folded);

    // Each end of a difference has its own beginning.
    let between = format!("/projects/{project}/diff?from=1000&to=3000");
    let apart = ada.get(&between).await.is(200).json;

    // Of another shape, of another epoch, and such as cannot be read: as if they were not there.
    for spoiled in ["shape = shape + 1", "epoch = gen_random_uuid()", "state = '\\x00'"] {
        sqlx::query(&format!("UPDATE project_states SET {spoiled}")).execute(&pool).await.expect("a change");
        assert_eq!(states(&ada, &project).await, folded, "{spoiled}");
    }
    // A difference goes over them.
    sqlx::query("DELETE FROM project_states").execute(&pool).await.expect("none are kept");
    let diff = ada.get(&between).await.is(200).json;
    assert_eq!(diff, apart);
    let changes = diff["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{diff}");
    assert_eq!(changes[0]["fields"]["title"], json!({"from": "997", "to": "2997"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_forgotten_is_in_no_state_that_is_kept() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let project = long(&ada, &pool, 3000).await;
    let before = ada.get(&format!("/projects/{project}/state?as_of=3000")).await.is(200).json;
    eventually("states are kept", async || kept(&pool, &project).await == [1024, 2048]).await;
    let id = Uuid::parse_str(&project).expect("an id");
    workroom_projections::state::snapshots::forget(&pool, id, 2000).await.expect("forgotten");
    assert_eq!(kept(&pool, &project).await, [1024], "those with the event in them");
    let after = ada.get(&format!("/projects/{project}/state?as_of=3000")).await.is(200).json;
    assert_eq!(content(after), content(before));
    // One that was begun before a redaction is not kept after it.
    let redacted = r#"INSERT INTO events SELECT (SELECT max(position) FROM events) + 1, gen_random_uuid(), feed_id, feed_seq + 1,
        'redaction', gen_random_uuid()::text, 1, 'PayloadRedacted', '1', '{}', metadata, recorded_at
        FROM events WHERE feed_id = $1 ORDER BY feed_seq DESC LIMIT 1"#;
    sqlx::query(redacted).bind(id).execute(&pool).await.expect("an event");
    let save = "SELECT save_project_state($1, 5, 3003, 1, gen_random_uuid(), 1, '\\x00')";
    let saved: bool = sqlx::query_scalar(save).bind(id).fetch_one(&pool).await.expect("an answer");
    assert!(!saved);
}
