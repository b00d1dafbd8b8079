//! Does in rooms what is due, and tells other processes: one task a process.

use async_nats::HeaderMap;

use super::{
    RoomId,
    wire::{CustomMessage, News, rooms_subject},
};
use crate::{live::Hub, messaging::header};

/// Keeps the rooms until the hub closes; then it tells others that the people here are gone.
pub(in crate::live) async fn keep(hub: Hub) {
    let stop = hub.stopped().clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = run(&hub) => {}
    }
    if hub.others_are_there() {
        for (room, news) in hub.rooms().end() {
            tell(&hub, room, news).await;
        }
    }
}

async fn run(hub: &Hub) {
    loop {
        let room = hub.rooms().next_due().await;
        for news in hub.rooms().tick(room, hub.others_are_there()) {
            tell(hub, room, news).await;
        }
    }
}

async fn tell(hub: &Hub, room: RoomId, news: News) {
    let subject = rooms_subject(room.project_id.uuid());
    let payload = match serde_json::to_vec(&hub.rooms().telling(room, news)) {
        Ok(payload) => payload,
        Err(error) => return tracing::error!(%error, "what happens in a room cannot be told"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::EPOCH, hub.epoch().to_string());
    hub.seal().put(&subject, &mut headers, &payload);
    if let Err(error) = hub.nats().publish_with_headers(subject, headers, payload.into()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "what happens in a room was not told");
    }
}

/// Says something to everybody in a room, wherever they are connected.
pub(super) async fn publish(hub: &Hub, id: RoomId, message: CustomMessage) {
    match hub.rooms().find(id) {
        Some(room) => room.publish(message),
        None if hub.others_are_there() => tell(hub, id, News::Message(message)).await,
        None => {}
    }
}
