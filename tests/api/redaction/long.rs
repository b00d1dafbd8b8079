//! A long history: the states that were kept on the way go, and what is in one aggregate is redacted portion by portion.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    are_gone, events,
    orders::{is_believed, orders_are_done},
    redact,
};
use crate::support::{World, eventually};

/// How often a task is renamed: a state of its project is kept meanwhile, and it is more than two portions of an order.
const CHANGES: i64 = 1200;

/// Renames a task so often, in the name of who created it. Its creation is the last event of the log.
pub(super) async fn rename(pool: &PgPool, task: &str, changes: i64) {
    sqlx::query(
        "INSERT INTO events
         SELECT created.position + n, gen_random_uuid(), created.feed_id, created.feed_seq + n, 'task',
                created.aggregate_id, 1 + n, 'TaskUpdated', '1',
                json_build_object('type', 'TaskUpdated', 'changes', json_build_object('title', json_build_object(
                    'from', 'canary-title-' || (n - 1), 'to', 'canary-title-' || n))),
                created.metadata, created.recorded_at
         FROM (SELECT * FROM events WHERE aggregate_type = 'task' AND aggregate_id = $1) AS created,
              generate_series(1, $2::bigint) AS n",
    )
    .bind(task)
    .bind(changes)
    .execute(pool)
    .await
    .expect("events");
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_states_go_and_one_aggregate_is_redacted_portion_by_portion() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let task = json!({"title": "canary-title-0", "description": "canary-description"});
    let task = ada.post(&format!("{feed}/tasks"), task).await.is(201).id();
    let pool = world.pool().await;
    rename(&pool, &task, CHANGES).await;
    // Whoever finds the state in memory to be old reads the task's whole history, and keeps what comes of it.
    ada.patch(&format!("{feed}/tasks/{task}"), json!({"status": "done"})).await.is(200);
    ada.get(&format!("{feed}/state")).await.is(200);
    for (kept, of) in [
        ("aggregate_snapshots WHERE aggregate_id = $1 AND strpos(state::text, 'canary-description') > 0", &task),
        ("project_states WHERE project_id = $1::uuid AND position('canary-description'::bytea IN state) > 0", &project),
    ] {
        let count = format!("SELECT count(*) FROM {kept}");
        eventually(kept, async || {
            let kept: i64 = sqlx::query_scalar(&count).bind(of).fetch_one(&pool).await.expect("a count");
            kept > 0
        })
        .await;
    }
    let [created]: [Value; 1] = events(&ada, &feed, "TaskCreated").await.try_into().expect("one task");
    redact(&ada, &feed, &created["seq"]).await.is(201);
    are_gone(&pool, &["canary-description"]).await;

    ada.delete(&feed).await.is(204);
    ada.post(&format!("{feed}/purge"), json!({"reason": "over"})).await.is(202);
    orders_are_done(&pool).await;
    are_gone(&pool, &["canary-"]).await;
    let portions: Vec<i64> = sqlx::query_scalar(
        "SELECT count(*) FROM events
         WHERE event_type = 'PayloadRedacted' AND aggregate_id = $1 AND metadata->>'actor' = 'system:reconciler'
         GROUP BY recorded_at ORDER BY recorded_at",
    )
    .bind(&task)
    .fetch_all(&pool)
    .await
    .expect("portions");
    assert!(portions.len() > 2 && portions.iter().all(|portion| *portion <= 500), "{portions:?}");
    let redactions: (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT payload->>'position') FROM events
         WHERE event_type = 'PayloadRedacted' AND aggregate_id = $1",
    )
    .bind(&task)
    .fetch_one(&pool)
    .await
    .expect("redactions");
    assert_eq!(redactions, (CHANGES + 1, CHANGES + 1), "each once");
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
    is_believed(&ada, &feed).await;
}
