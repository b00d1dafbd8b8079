//! Postgres was restored to an earlier state: the log wins, in a new epoch.

use sqlx::PgPool;

use super::{Running, assert_copied_behind, epoch, fill, outage::stored};
use crate::support::World;

/// Puts the log back to a position, as a backup would.
async fn restore(pool: &PgPool, to: i64) {
    let mut transaction = pool.begin().await.expect("a transaction");
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER events_are_final".to_owned(),
        format!("DELETE FROM events WHERE position > {to}"),
        format!("UPDATE relay_checkpoints SET position = LEAST(position, {to})"),
        "ALTER TABLE events ENABLE TRIGGER events_are_final".to_owned(),
    ] {
        sqlx::query(&statement).execute(&mut *transaction).await.expect("a restore");
    }
    transaction.commit().await.expect("a restore");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ahead_of_the_log_begins_one_new_epoch() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 1_000).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(1_000).await;
    stored(&pool, 1_000).await;
    relay.stop().await;
    let before = epoch(&pool).await;

    restore(&pool, 600).await;
    let (mut one, mut two) = (Running::start(&world).await, Running::start(&world).await);
    tokio::select! {
        () = one.reaches(600) => {}
        () = two.reaches(600) => {}
    }
    let after = epoch(&pool).await;
    assert_ne!(after, before);

    // The other one finds nothing to object to.
    let is_first = one.status.borrow().leading;
    let (leader, mut standby) = if is_first { (one, two) } else { (two, one) };
    leader.stop().await;
    fill(&pool, 700).await;
    standby.reaches(700).await;
    assert_eq!(epoch(&pool).await, after);
    assert_copied_behind(&world, &pool, 600).await;
    standby.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_future_begins_a_new_epoch() {
    let world = World::new().await;
    let pool = world.pool().await;
    fill(&pool, 500).await;
    let first = epoch(&pool).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(500).await;
    stored(&pool, 500).await;
    relay.stop().await;

    // It has overtaken the stream already, and is another: the large event takes the place of a small one.
    restore(&pool, 499).await;
    super::add_large(&pool, 10).await;
    fill(&pool, 900).await;
    let mut relay = Running::start(&world).await;
    relay.reaches(900).await;
    let second = epoch(&pool).await;
    assert_ne!(second, first);
    assert_copied_behind(&world, &pool, 499).await;
    stored(&pool, 900).await;
    relay.stop().await;

    // The backup held the epoch too, and nothing else was lost.
    sqlx::query("UPDATE log_epoch SET epoch = $1").bind(first).execute(&pool).await.expect("the old epoch");
    let mut relay = Running::start(&world).await;
    fill(&pool, 950).await;
    relay.reaches(950).await;
    assert!(![first, second].contains(&epoch(&pool).await), "an epoch is never used again");
    assert_copied_behind(&world, &pool, 900).await;
    relay.stop().await;
}
