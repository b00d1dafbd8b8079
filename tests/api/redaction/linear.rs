//! What a purge reads grows with the history of one aggregate, and no faster: it is counted, for clocks tell of the machine as well.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;

use super::long::rename;
use crate::support::{Person, World, eventually, within};

/// How often something is changed, to begin with.
const FEW: i64 = 2000;
/// Four times as often. What is read of it may be 4.8 times as much.
const MANY: i64 = 4 * FEW;

/// Creates a task in a project and renames it so often; returns its id.
async fn task(ada: &Person, pool: &PgPool, feed: &str, changes: i64) -> String {
    let task = ada.post(&format!("{feed}/tasks"), json!({"title": "canary-title-0"})).await.is(201).id();
    rename(pool, &task, changes).await;
    task
}

/// Creates a file in a project and writes it so often; returns its id.
async fn file(ada: &Person, pool: &PgPool, feed: &str, changes: i64) -> String {
    let workspace = ada.post(&format!("{feed}/workspaces"), json!({"name": "canary-lab"})).await.is(201).id();
    let file = json!({"path": "canary.txt", "content": "canary-content-0"});
    let file = ada.post(&format!("{feed}/workspaces/{workspace}/files"), file).await.is(201).id();
    sqlx::query(
        "WITH said AS MATERIALIZED (
             SELECT n, convert_to('canary-content-' || n, 'UTF8') AS content FROM generate_series(1, $2::bigint) AS n
         ), kept AS (
             INSERT INTO file_contents (file_id, sha256, content)
             SELECT $1::uuid, sha256(said.content), said.content FROM said
         )
         INSERT INTO events
         SELECT (SELECT max(position) FROM events) + said.n, gen_random_uuid(), written.feed_id,
                (SELECT max(e.feed_seq) FROM events e WHERE e.feed_id = written.feed_id) + said.n, 'file',
                written.aggregate_id, 1 + said.n, 'FileContentWritten', '1',
                (written.payload::jsonb || jsonb_build_object('size', octet_length(said.content),
                                                              'sha256', encode(sha256(said.content), 'hex')))::json,
                written.metadata, written.recorded_at
         FROM said, (SELECT * FROM events WHERE aggregate_type = 'file' AND aggregate_id = $1) AS written",
    )
    .bind(&file)
    .bind(changes)
    .execute(pool)
    .await
    .expect("events");
    file
}

/// Waits until everything that follows the log has all that is in it: what is still unread at the end of a process is not counted.
async fn followed(pool: &PgPool) {
    let head: i64 = sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(pool).await.expect("the head");
    let behind = "SELECT EXISTS (SELECT FROM (SELECT position FROM projection_checkpoints
                                              UNION ALL SELECT position FROM reactor_checkpoints
                                              UNION ALL SELECT position FROM notifier_checkpoint
                                              UNION ALL SELECT position FROM relay_checkpoints) AS follower
                                 WHERE position < $1)
                         OR NOT EXISTS (SELECT FROM log_leaves WHERE position = $1)";
    // The relay writes over each message that it deletes.
    within(Duration::from_secs(300), "all have followed", async || {
        !sqlx::query_scalar::<_, bool>(behind).bind(head).fetch_one(pool).await.expect("an answer")
    })
    .await;
}

/// How many rows of the log, and of what files held, were read so far. What a process has read is counted when its connections are
/// gone.
async fn rows_read(world: &World) -> i64 {
    let pool = PgPool::connect(&world.database_url).await.expect("a connection");
    eventually("no process is connected", async || {
        let connected: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'workroom'",
        )
        .fetch_one(&pool)
        .await
        .expect("a count");
        connected == 0
    })
    .await;
    let read = sqlx::query_scalar(
        "SELECT sum(idx_tup_fetch + seq_tup_read)::bigint FROM pg_stat_user_tables
         WHERE relname IN ('events', 'file_contents')",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    pool.close().await;
    read
}

/// Insists that each of so many events of an aggregate was redacted, once, and that nothing is left of the project.
async fn is_gone(world: &World, project: &str, aggregate: &str, events: i64) {
    let pool = world.pool().await;
    let redacted: (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT payload->>'position') FROM events
         WHERE event_type = 'PayloadRedacted' AND aggregate_id = $1",
    )
    .bind(aggregate)
    .fetch_one(&pool)
    .await
    .expect("redactions");
    assert_eq!(redacted, (events, events), "each once");
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM events WHERE feed_id = $1::uuid AND strpos(payload::text, 'canary') > 0)
              + (SELECT count(*) FROM file_contents WHERE file_id = $2::uuid)
              + (SELECT count(*) FROM aggregate_snapshots WHERE strpos(state::text, 'canary') > 0)",
    )
    .bind(project)
    .bind(aggregate)
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(left, 0);
    pool.close().await;
}

/// Purges a project with one aggregate that was changed so often; how many rows were read for it.
async fn purge(world: &World, ada: &Person, of_files: bool, changes: i64) -> i64 {
    let server = world.server_without_worker().await;
    let ada = ada.at(&server.address);
    let project = ada.project("canary-project").await;
    let feed = format!("/projects/{project}");
    let pool = world.pool().await;
    let aggregate =
        if of_files { file(&ada, &pool, &feed, changes).await } else { task(&ada, &pool, &feed, changes).await };
    ada.delete(&feed).await.is(204);
    followed(&pool).await;
    drop(pool);
    assert!(server.stop().await, "an end");

    let before = rows_read(world).await;
    let server = world.server_without_worker().await;
    ada.at(&server.address).post(&format!("{feed}/purge"), json!({"reason": "over"})).await.is(202);
    let pool = world.pool().await;
    within(Duration::from_secs(600), "no order is open", async || {
        let open: i64 =
            sqlx::query_scalar("SELECT count(*) FROM redaction_orders").fetch_one(&pool).await.expect("a count");
        open == 0
    })
    .await;
    followed(&pool).await;
    drop(pool);
    assert!(server.stop().await, "an end");
    let read = rows_read(world).await - before;
    is_gone(world, &project, &aggregate, changes + 1).await;
    read
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "purges 20,000 events; ./dev test --long"]
async fn drill_a_purge_reads_no_more_of_each_event_where_there_are_many() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    assert!(server.stop().await, "an end");
    for of_files in [false, true] {
        let few = purge(&world, &ada, of_files, FEW).await;
        let many = purge(&world, &ada, of_files, MANY).await;
        eprintln!("of files: {of_files}; rows read for {FEW} changes: {few}, for {MANY}: {many}");
        assert!(few > FEW, "{few} rows: what was read is not counted");
        assert!(10 * many <= 48 * few, "{few} rows were read for {FEW} changes, {many} for {MANY}");
    }
}
