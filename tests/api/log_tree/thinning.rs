//! Old checkpoints are thinned out.

use sqlx::PgPool;

use super::{change, covering};
use crate::support::{World, eventually};

/// The sizes of the checkpoints that are kept, up to this one.
async fn kept(pool: &PgPool, latest: i64) -> Vec<i64> {
    sqlx::query_scalar("SELECT size FROM log_checkpoints WHERE size <= $1 ORDER BY size")
        .bind(latest)
        .fetch_all(pool)
        .await
        .expect("sizes")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_a_minute_is_kept_for_a_day_one_an_hour_for_ever_and_always_the_latest() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut position = 0;
    for number in 0..12 {
        position = change(&ada, &project, &number.to_string()).await;
    }
    covering(&server.client(), position).await;
    assert!(server.stop().await);

    let pool = world.pool().await;
    let latest: i64 =
        sqlx::query_scalar("SELECT max(size) FROM log_checkpoints").fetch_one(&pool).await.expect("a checkpoint");
    assert!(latest > 11, "{latest}");
    let older = sqlx::query("DELETE FROM log_checkpoints WHERE size < $1").bind(latest);
    older.execute(&pool).await.expect("nothing but the latest");
    // Two days ago, two hours ago, and within the last hour: the last of an hour, of a minute, and all are kept.
    let planted = sqlx::query(
        "INSERT INTO log_checkpoints (size, root, note, signed_at)
         SELECT old.size, c.root, c.note, old.since + old.later::interval
         FROM log_checkpoints c,
              (SELECT date_trunc('hour', now() - interval '2 days') AS days,
                      date_trunc('minute', now() - interval '2 hours') AS hours,
                      date_trunc('minute', now() - interval '10 minutes') AS minutes) AS t,
              LATERAL (VALUES
                  (1, t.days, '5 minutes'), (2, t.days, '20 minutes'), (3, t.days, '20 minutes 30 seconds'),
                  (4, t.days, '59 minutes'), (5, t.days, '61 minutes'),
                  (6, t.hours, '1 second'), (7, t.hours, '30 seconds'), (8, t.hours, '59 seconds'),
                  (9, t.hours, '61 seconds'),
                  (10, t.minutes, '1 second'), (11, t.minutes, '2 seconds')) AS old (size, since, later)",
    );
    assert_eq!(planted.execute(&pool).await.expect("checkpoints").rows_affected(), 11);
    let server = world.server().await;
    let are_thinned = async || kept(&pool, latest).await == [4, 5, 8, 9, 10, 11, latest];
    eventually("old ones are thinned", are_thinned).await;
    assert!(server.stop().await);

    // However old it is, nothing may have happened since.
    let aged = sqlx::query(
        "UPDATE log_checkpoints
         SET signed_at = date_trunc('hour', now() - interval '3 days') + size * interval '1 second' WHERE size <= $1",
    );
    aged.bind(latest).execute(&pool).await.expect("older checkpoints");
    let _server = world.server().await;
    eventually("the latest is left", async || kept(&pool, latest).await == [latest]).await;
}
