//! An event that is too large for NATS.

use super::{Notes, follow, head};
use crate::support::{Socket, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_too_large_for_nats_arrives_whole() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    follow(&mut socket, &project).await;
    let start = head(&ada, &project).await;
    let mut notes = Notes::of(&project, world.pool().await).await;
    let text = "x".repeat(5 * 1024 * 1024);
    for text in ["small", &text, "small"] {
        notes.write(1, text).await;
    }
    for (offset, length) in [(1, 5), (2, text.len()), (3, 5)] {
        let event = socket.event().await;
        assert_eq!(event["seq"], start + offset);
        assert_eq!(event["data"]["text"].as_str().map(str::len), Some(length));
    }
}
