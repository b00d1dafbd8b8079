//! More than one relay.

use sqlx::PgPool;
use workroom::messaging::seal::Seal;

use super::{Running, assert_copied, epoch, fill, held::Held};
use crate::support::World;

/// Ends the connection that holds the leader's lock; returns whether there was one.
async fn depose(pool: &PgPool) -> bool {
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
         WHERE l.locktype = 'advisory' AND l.classid = 7770002 AND l.granted AND d.datname = current_database()",
    )
    .fetch_one(pool)
    .await
    .expect("an answer");
    ended > 0
}

/// Waits until either has reached a position.
async fn either_reaches(relays: &mut [Running; 2], position: i64) {
    let [one, two] = relays;
    tokio::select! {
        () = one.reaches(position) => {}
        () = two.reaches(position) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_come_and_go_and_the_copy_is_one() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mut relays = [Running::start(&world).await, Running::start(&world).await];
    let (mut head, mut deposed) = (0, 0);
    for _ in 0..8 {
        fill(&pool, head + 1_500).await;
        for relay in &relays {
            relay.head.send_replace(head + 1_500);
        }
        either_reaches(&mut relays, head + 1).await;
        deposed += i32::from(depose(&pool).await);
        head += 1_500;
    }
    assert!(deposed > 3, "deposed only {deposed} times");
    either_reaches(&mut relays, head).await;
    assert_copied(&world, &pool).await;

    // The one that stands by takes over.
    let is_first = relays[0].status.borrow().leading;
    let [one, two] = relays;
    let (leader, mut standby) = if is_first { (one, two) } else { (two, one) };
    leader.stop().await;
    fill(&pool, head + 1).await;
    standby.reaches(head + 1).await;
    assert_copied(&world, &pool).await;
    standby.stop().await;
}

/// Two worlds with the same log of five thousand events. Only through different tables of locks can two relays both
/// believe to lead: two databases with the same log stand in for that.
async fn twins() -> (World, World) {
    let (world, twin) = (World::new().await, World::new().await);
    let (pool, twin_pool) = (world.pool().await, twin.pool().await);
    for pool in [&pool, &twin_pool] {
        fill(pool, 5_000).await;
    }
    let same = sqlx::query("UPDATE log_epoch SET epoch = $1").bind(epoch(&pool).await);
    same.execute(&twin_pool).await.expect("the same epoch");
    // Neither takes the other's copies for those of a stranger, and empties the stream.
    Seal::open(&pool).await.expect("a seal");
    let secrets: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT name, secret FROM service_secrets").fetch_all(&pool).await.expect("secrets");
    for (name, secret) in secrets {
        let same = sqlx::query(
            "INSERT INTO service_secrets (name, secret) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET secret = excluded.secret",
        );
        same.bind(name).bind(secret).execute(&twin_pool).await.expect("the same secret");
    }
    (world, twin)
}

/// A deposed leader that does not know it yet publishes next to the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leaders_at_once_make_one_copy() {
    let (world, twin) = twins().await;
    let (mut one, mut two) = (Running::start(&world).await, Running::between(&twin, &world).await);
    one.reaches(5_000).await;
    two.reaches(5_000).await;
    assert!(one.status.borrow().leading && two.status.borrow().leading);
    assert_copied(&world, &world.pool().await).await;
    one.stop().await;
    two.stop().await;
}

/// Both found no stream; before the second makes it, the first has made and filled it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_another_leader_made_and_filled_meanwhile_is_not_filled_again() {
    let (world, twin) = twins().await;
    let port = world.nats().port();
    let way = Held::before(port, "STREAM.CREATE.EVENTS").await;
    let mut two = Running::by(&twin, &world.nats_url().replace(&format!(":{port}"), &format!(":{}", way.port))).await;
    way.is_held().await;
    let mut one = Running::start(&world).await;
    one.reaches(5_000).await;
    way.release();
    two.reaches(5_000).await;
    assert_copied(&world, &world.pool().await).await;
    one.stop().await;
    two.stop().await;
}
