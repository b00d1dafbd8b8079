//! NATS goes away, comes back, comes back empty: subscribers get everything, once.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{edit, follow, head, places, seqs};
use crate::support::{Closed, Person, Socket, World};

/// How long so many changes take to reach a subscriber, one after the other.
async fn time_of(changes: u32, person: &Person, project: &str, socket: &mut Socket, last: &mut i64) -> Duration {
    let start = Instant::now();
    for _ in 0..changes {
        edit(person, project).await;
        *last += 1;
        assert_eq!(socket.event().await["seq"], *last);
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_events_come_within_seconds_and_with_it_at_once() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada.at(&two.address)).await;
    follow(&mut socket, &project).await;
    let mut last = head(&ada, &project).await;

    world.nats().kill9().await;
    // Postgres is asked every second now, every three seconds otherwise.
    let time = time_of(3, &ada, &project, &mut socket, &mut last).await;
    assert!(time < Duration::from_secs(6), "three changes took {time:?}");

    // Somebody comes while it is away.
    let other = ada.project("Gemini").await;
    let mut late = Socket::open(&ada.at(&two.address)).await;
    let events = late.subscribe(&other, 0).await;
    assert_eq!(i64::try_from(events.len()).ok(), Some(head(&ada, &other).await));

    world.nats().restart().await.expect("NATS");
    // Whoever waits for Postgres takes five seconds for these.
    let patience = Instant::now();
    while time_of(5, &ada, &project, &mut socket, &mut last).await > Duration::from_millis(1500) {
        assert!(patience.elapsed() < Duration::from_secs(25), "NATS is back, but does not deliver");
    }
    let mut late_last = head(&ada, &other).await;
    time_of(2, &ada, &other, &mut late, &mut late_last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_store_costs_nothing() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut sockets = Vec::new();
    for server in [&one, &two] {
        let mut socket = Socket::open(&ada.at(&server.address)).await;
        assert!(!socket.subscribe(&project, 0).await.is_empty());
        sockets.push(socket);
    }
    let start = head(&ada, &project).await;
    let writer = {
        let (ada, project) = (ada.clone(), project.clone());
        tokio::spawn(async move {
            for _ in 0..60 {
                edit(&ada, &project).await;
            }
        })
    };
    world.nats().wipe_store().await.expect("an empty NATS");
    writer.await.expect("all written");
    world.nats().wipe_store().await.expect("an empty NATS");
    edit(&ada, &project).await;
    let end = head(&ada, &project).await;
    for mut socket in sockets {
        for seq in start + 1..=end {
            assert_eq!(socket.event().await["seq"], seq);
        }
    }
    let events = Socket::open(&ada.at(&two.address)).await.subscribe(&project, 0).await;
    assert_eq!(seqs(&events), places(1..=end));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_is_noticed_without_nats() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, two.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "collaborator").await;
    let mut socket = Socket::open(&bob).await;
    follow(&mut socket, &project).await;
    world.nats().kill9().await;
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    edit(&ada, &project).await;
    let end = socket.until_closed().await;
    let revoked = json!({"type": "unsubscribed", "project_id": project, "reason": "access_revoked"});
    let frames: Vec<_> = end.0.into_iter().filter(|frame| frame["type"] != "head").collect();
    assert_eq!((frames, end.1), (vec![revoked], Closed(4403)));
}
