//! A message that NATS lost: what follows it gives the hole away, and Postgres has what it held.

use std::time::{Duration, Instant};

use workroom::messaging::Messaging;
use workroom_projections::history::{self, PublishedEvent};

use super::{edit, follow, head};
use crate::support::{Socket, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_is_filled_as_soon_as_it_shows() {
    let world = World::new().await;
    // Without a relay: the test is the relay.
    let server = world.server_with(&[], &[("WORKROOM_ROLES", r#"["api", "live", "projector"]"#)]).await;
    let pool = world.pool().await;
    let nats = Messaging::connect(world.nats_url()).await.expect("an address");
    nats.connected().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = project.parse().expect("an id");
    let mut socket = Socket::open(&ada).await;
    follow(&mut socket, &project).await;
    let mut last = head(&ada, &project).await;

    // Whoever waits for the next look at Postgres takes at least five seconds for these.
    let start = Instant::now();
    for _ in 0..6 {
        edit(&ada, &project).await;
        edit(&ada, &project).await;
        let rows = history::since(&pool, feed, last + 1, 1).await.expect("the second event");
        for row in rows {
            let event = PublishedEvent::from_row(row);
            let subject = format!("events.{feed}.{}.{}", event.aggregate_type, event.event_type);
            let payload = serde_json::to_vec(&event).expect("JSON");
            nats.client().publish(subject, payload.into()).await.expect("NATS");
        }
        for _ in 0..2 {
            last += 1;
            assert_eq!(socket.event().await["seq"], last);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(4), "six holes took {:?}", start.elapsed());
}
