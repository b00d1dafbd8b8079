//! Doorbells between processes: how far the log and the views are.

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use sqlx::PgPool;
use tokio::{task::JoinSet, time::timeout};
use uuid::Uuid;
use workroom::{
    event_store::{AppendLimits, EventLog},
    messaging::{doorbell::Doorbell, epoch, seal::Seal},
};
use workroom_projections::{incarnation::Incarnation, progress::Progress, runner::Announce};

use super::connect;
use crate::support::{World, eventually};

/// What a process has of the log, as far as doorbells go.
struct Side {
    log: EventLog,
    progress: Progress,
    announce: Announce,
    incarnation: Incarnation,
}

impl Side {
    async fn open(world: &World, pool: &PgPool, tasks: &mut JoinSet<()>) -> Self {
        let log = EventLog::open(pool.clone(), AppendLimits::default()).await.expect("the log");
        let progress = Progress::new(pool.clone());
        let epoch = epoch::follow(log.incarnations());
        let incarnation = Incarnation::of(pool).await.expect("an incarnation");
        progress.observe(&incarnation);
        let doorbell = Doorbell::new(
            connect(world).await,
            Seal::open(pool).await.expect("a seal"),
            epoch,
            log.clone(),
            progress.clone(),
        );
        let announce = doorbell.announce();
        tasks.spawn(log.incarnations().clone().run(pool.clone()));
        tasks.spawn(doorbell.run());
        Self { log, progress, announce, incarnation }
    }

    async fn hears_of(&self, head: i64) {
        let mut heads = self.log.head();
        let in_time = timeout(Duration::from_secs(20), heads.wait_for(|heard| *heard == head)).await.is_ok();
        assert!(in_time, "never heard of {head}: {}", *heads.borrow());
    }

    fn position(&self, group: &str) -> Option<i64> {
        BTreeMap::from_iter(self.progress.positions()).get(group).copied()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_hears_how_far_the_others_are() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mut tasks = JoinSet::new();
    let (one, two) = (Side::open(&world, &pool, &mut tasks).await, Side::open(&world, &pool, &mut tasks).await);
    for head in 1..500 {
        one.log.announce(head);
        (one.announce)("jobs", &one.incarnation, head);
    }
    two.hears_of(499).await;
    eventually("the views' position is heard", || async { two.position("jobs") == Some(499) }).await;

    // Told while NATS is away, heard when it is back.
    world.nats().kill9().await;
    two.log.announce(600);
    world.nats().restart().await.expect("NATS");
    one.hears_of(600).await;

    // In a new epoch everybody moves over to new subjects.
    let begin = sqlx::query_scalar("UPDATE log_epoch SET epoch = gen_random_uuid() RETURNING epoch");
    let current: Uuid = begin.fetch_one(&pool).await.expect("a new epoch");
    let client = connect(&world).await.client().clone();
    let mut heads = client.subscribe(format!("workroom.{current}.head")).await.expect("a subscription");
    // Positions of the history before are not told in it.
    let told = timeout(Duration::from_secs(20), async {
        loop {
            one.log.announce(700);
            if let Ok(message) = timeout(Duration::from_millis(50), heads.next()).await {
                return message.expect("a message");
            }
        }
    });
    assert_eq!(&*told.await.expect("in time").payload, b"700");
    two.hears_of(700).await;
    tasks.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_alone_rings_for_nobody_and_begins_when_somebody_comes() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mut tasks = JoinSet::new();
    let one = Side::open(&world, &pool, &mut tasks).await;
    let epoch: Uuid = sqlx::query_scalar("SELECT epoch FROM log_epoch").fetch_one(&pool).await.expect("the epoch");
    let client = connect(&world).await.client().clone();
    let mut heads = client.subscribe(format!("workroom.{epoch}.head")).await.expect("a subscription");
    client.flush().await.expect("subscribed");
    let mut head = 0;
    let mut rings = async || {
        head += 1;
        one.log.announce(head);
        timeout(Duration::from_millis(300), heads.next()).await.is_ok()
    };
    let first = timeout(Duration::from_secs(30), async { while !rings().await {} }).await;
    first.expect("others may be there, who have not had time to say so");
    let silent = timeout(Duration::from_secs(30), async { while rings().await {} }).await;
    silent.expect("nobody listens");

    let two = Side::open(&world, &pool, &mut tasks).await;
    two.hears_of(head).await;
    one.log.announce(head + 1);
    two.hears_of(head + 1).await;
    tasks.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_position_is_believed_by_nobody_and_a_ring_without_a_word_makes_everybody_look() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mut tasks = JoinSet::new();
    let (one, two) = (Side::open(&world, &pool, &mut tasks).await, Side::open(&world, &pool, &mut tasks).await);
    // Both listen.
    one.log.announce(3);
    two.hears_of(3).await;
    two.log.announce(4);
    one.hears_of(4).await;
    let epoch: Uuid = sqlx::query_scalar("SELECT epoch FROM log_epoch").fetch_one(&pool).await.expect("the epoch");
    let client = connect(&world).await.client().clone();
    let subjects = [format!("workroom.{epoch}.head"), format!("workroom.{epoch}.progress.jobs")];
    let mut echo = client.subscribe(format!("workroom.{epoch}.>")).await.expect("a subscription");
    client.flush().await.expect("subscribed");
    for subject in &subjects {
        let text = if subject.ends_with("head") { "9000".to_owned() } else { format!("9000 {}", one.incarnation) };
        let true_seal = Seal::open(&pool).await.expect("a seal").headers(subject, b"1");
        client.publish(subject.clone(), text.clone().into()).await.expect("a message");
        client.publish_with_headers(subject.clone(), true_seal, text.into()).await.expect("a message");
    }
    let mut heard = 0;
    while heard < 4 {
        let message = timeout(Duration::from_secs(20), echo.next()).await.expect("in time").expect("a message");
        heard += usize::from(message.payload.starts_with(b"9000"));
    }
    // What comes after it on the same subjects is heard.
    one.log.announce(500);
    (one.announce)("jobs", &one.incarnation, 400);
    two.hears_of(500).await;
    for side in [&one, &two] {
        eventually("the views' position is heard", || async { side.position("jobs") == Some(400) }).await;
    }
    assert_eq!(*one.log.head().borrow(), 500);

    // Whoever has nothing to seal with rings, and the database is asked.
    super::fill(&pool, 600).await;
    client.publish(format!("workroom.{epoch}.ring"), "700".into()).await.expect("a message");
    two.hears_of(600).await;
    one.hears_of(600).await;
    tasks.shutdown().await;
}
