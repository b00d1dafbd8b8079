//! While views are rebuilt, their runner is held off for a moment only, however many rows there are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, PgConnection, PgPool, postgres::PgConnectOptions};
use workroom::database;
use workroom_projections::{Group, groups, rebuild};

use crate::support::World;

/// Adds so many tasks to the log, in a hundred projects.
async fn add_tasks(pool: &PgPool, count: i64) {
    let insert = r#"
        INSERT INTO events
        SELECT p, gen_random_uuid(), md5('feed ' || p)::uuid, 1, 'task', gen_random_uuid()::text, 1, 'TaskCreated', '1',
               json_build_object('type', 'TaskCreated', 'project_id', md5('project ' || p % 100)::uuid, 'title', 'Task ' || p,
                                 'description', repeat('All engines. ', 5), 'status', 'todo', 'task_type', 'feature',
                                 'priority', 'high'),
               '{"actor": "system:worker", "occurred_at": "2026-11-20T00:00:00Z",
                 "correlation_id": "00000000-0000-0000-0000-000000000001"}'::json, now()
        FROM generate_series((SELECT COALESCE(max(position), 0) + 1 FROM events),
                             (SELECT COALESCE(max(position), 0) + $1 FROM events)) AS p"#;
    let mut left = count;
    while left > 0 {
        let chunk = left.min(50_000);
        sqlx::query(insert).bind(chunk).execute(pool).await.expect("events");
        left -= chunk;
    }
}

fn workspace() -> Group {
    groups().into_iter().find(|group| group.name == "workspace").expect("the group")
}

async fn rebuild_once(options: &PgConnectOptions) -> rebuild::Comparison {
    let mut connection = options.connect().await.expect("a connection");
    rebuild::rebuild(&mut connection, &workspace(), &|_, _| {}).await.expect("a rebuild")
}

/// Takes the row that a runner moves, again and again, until told to stop; returns the longest wait.
async fn longest_wait(mut connection: PgConnection, stop: Arc<AtomicBool>) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        sqlx::query("UPDATE projection_checkpoints SET halted_at = NULL WHERE projection_group = 'workspace'")
            .execute(&mut connection)
            .await
            .expect("the row");
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    longest
}

/// How long a runner is held off by a rebuild of so many tasks.
async fn stall(world: &World, pool: &PgPool, tasks: i64) -> Duration {
    let options = database::options(&world.database_url).expect("options").options([("statement_timeout", "0")]);
    add_tasks(pool, tasks).await;
    sqlx::query(
        "INSERT INTO projection_checkpoints (projection_group, position) SELECT 'workspace', max(position) FROM events
         ON CONFLICT (projection_group) DO UPDATE SET position = excluded.position",
    )
    .execute(pool)
    .await
    .expect("a checkpoint");
    // No runner is at work: the first rebuild fills the views, the second is measured.
    rebuild_once(&options).await;
    let stop = Arc::<AtomicBool>::default();
    let connection = options.connect().await.expect("a connection");
    let probe = tokio::spawn(longest_wait(connection, Arc::clone(&stop)));
    let began = Instant::now();
    let comparison = rebuild_once(&options).await;
    stop.store(true, Ordering::Relaxed);
    let stall = probe.await.expect("a probe");
    assert!(comparison.differences.is_empty(), "{:?}", comparison.differences);
    assert!(comparison.rows >= tasks, "{} rows", comparison.rows);
    eprintln!("{} rows rebuilt in {:?}: the runner was held off for {stall:?}", comparison.rows, began.elapsed());
    stall
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_does_not_hold_the_runner_off_for_longer_when_there_are_more_rows() {
    let world = World::new().await;
    let pool = world.pool().await;
    let stall = stall(&world, &pool, 40_000).await;
    assert!(stall < Duration::from_millis(300), "held off for {stall:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, best of a release build"]
async fn a_rebuild_of_a_million_rows_holds_the_runner_off_for_half_a_second_at_most() {
    let world = World::new().await;
    let pool = world.pool().await;
    let stall = stall(&world, &pool, 1_000_000).await;
    assert!(stall <= Duration::from_millis(500), "held off for {stall:?}");
}
