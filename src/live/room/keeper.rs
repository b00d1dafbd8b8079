//! Does in rooms what is due, and tells other processes: one task a process.

use std::time::Duration;

use async_nats::HeaderMap;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{
    RoomId,
    wire::{CustomMessage, News, Telling, Within, rooms_subject},
};
use crate::{live::Hub, messaging::header};

/// How long NATS may take to take in a message: what is not told is healed by what is told later.
const TELLING_TIMEOUT: Duration = Duration::from_millis(50);
/// How long nothing is told to a NATS that took longer: rooms must not wait for it.
const SILENCE: Duration = Duration::from_secs(1);
/// How long the connections of a process that ends are waited for, and how often they are looked for.
const CONNECTIONS_END: Duration = Duration::from_secs(3);
const LOOKING: Duration = Duration::from_millis(20);

/// Keeps the rooms until the hub closes and its connections have ended; then it tells others that the people here are gone.
pub(in crate::live) async fn keep(hub: Hub) {
    let mut voice = Voice { hub: hub.clone(), silent_until: Instant::now() };
    let stop = hub.stopped().clone();
    let ended = async {
        stop.cancelled().await;
        let gone = async {
            while hub.has_connections() {
                sleep(LOOKING).await;
            }
        };
        let _ = timeout(CONNECTIONS_END, gone).await;
    };
    tokio::select! {
        () = ended => {}
        () = run(&hub, &mut voice) => {}
    }
    if hub.others_are_there() {
        for (room, telling) in hub.rooms().end() {
            voice.tell(room, &telling).await;
        }
        let _ = timeout(TELLING_TIMEOUT, hub.nats().flush()).await;
    }
}

async fn run(hub: &Hub, voice: &mut Voice) {
    loop {
        let room = hub.rooms().next_due().await;
        for telling in hub.rooms().tick(room, hub.others_are_there()) {
            voice.tell(room, &telling).await;
        }
    }
}

/// What tells other processes of rooms.
struct Voice {
    hub: Hub,
    silent_until: Instant,
}

impl Voice {
    async fn tell(&mut self, room: RoomId, telling: &Telling) {
        if Instant::now() < self.silent_until {
            return;
        }
        if timeout(TELLING_TIMEOUT, tell(&self.hub, room, telling)).await.is_err() {
            tracing::debug!("NATS takes nothing: rooms are not told of for a moment");
            self.silent_until = Instant::now() + SILENCE;
        }
    }
}

async fn tell(hub: &Hub, room: RoomId, telling: &Telling) {
    let subject = rooms_subject(room.project_id.uuid());
    let payload = match serde_json::to_vec(telling) {
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
        None if hub.others_are_there() => {
            // Of nobody here: a gateway that has no people.
            let telling = Telling { gateway: Uuid::nil(), within: Within::of(id), news: News::Message(message) };
            let _ = timeout(TELLING_TIMEOUT, tell(hub, id, &telling)).await;
        }
        None => {}
    }
}
