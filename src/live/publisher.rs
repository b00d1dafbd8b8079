//! Passes on what this process has committed: to the feeds that it follows itself, at once, and to other processes over core NATS.
//!
//! Nobody waits for it, and nothing depends on it: what it does not bring comes with the relay's copy, or is read from the log
//! when a feed is found behind. Messages carry the same headers and the same seal as the relay's.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;
use uuid::Uuid;
use workroom_projections::{
    history::{EventRow, PublishedEvent},
    recent::{RecentEvents, StoredEvent, Tap, Tapped},
};

use crate::{
    live::{
        feed::{Feed, FeedId, ring::Entry},
        hub::Hub,
    },
    messaging::{copy, peers::Peers},
};

/// Where a feed's events are published as soon as they are committed.
pub(in crate::live) fn live_subject(feed_id: Uuid) -> String {
    format!("live.{feed_id}")
}

/// What is passed on, and to whom.
pub struct Outgoing {
    /// What this process commits.
    pub recent: RecentEvents,
    /// Who else may want to hear of it.
    pub peers: Arc<Peers>,
}

/// Passes on what is committed, until the hub closes.
pub(in crate::live) async fn publish(hub: Hub, outgoing: Outgoing) {
    let tap = outgoing.recent.tap();
    let stop = hub.stopped().clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = run(&hub, &outgoing, &tap) => {}
    }
}

async fn run(hub: &Hub, outgoing: &Outgoing, tap: &Tap) {
    loop {
        let tapped = tap.next().await;
        if tapped.has_lost {
            tracing::debug!("committed events were not passed on: the feeds read them from the log");
            hub.look_soon();
        }
        offer(hub, outgoing, &tapped);
        if outgoing.peers.are_there(Instant::now()) && hub.nats_is_here() {
            send(hub, &tapped.events).await;
        }
    }
}

/// Offers events to the feeds that this process follows.
fn offer(hub: &Hub, outgoing: &Outgoing, tapped: &Tapped) {
    let mut by_feed: HashMap<Uuid, (Arc<Feed>, Vec<Entry>)> = HashMap::new();
    for stored in &tapped.events {
        let Some(feed) = hub.feed(stored.feed_id) else { continue };
        if !feed.is_open() {
            // It is just finding out where it stands, and may have asked before this was committed.
            if outgoing.recent.generation() == tapped.generation {
                feed.expect(stored.feed_seq);
            }
        } else if let Some(row) = readable(stored, EventRow::from_stored(stored)) {
            let entry = Entry::of(feed.id, &PublishedEvent::from_row(row));
            by_feed.entry(stored.feed_id).or_insert_with(|| (feed, Vec::new())).1.push(entry);
        }
    }
    let mut by_feed: Vec<_> = by_feed.into_values().collect();
    // Organizations first: their events may suspend subscribers of their projects.
    by_feed.sort_by_key(|(feed, _)| matches!(feed.id, FeedId::Project(_)));
    for (feed, entries) in by_feed {
        feed.offer_while(entries, hub.config(), || outgoing.recent.generation() == tapped.generation);
    }
}

async fn send(hub: &Hub, events: &[Arc<StoredEvent>]) {
    let (epoch, max_payload) = (hub.epoch(), hub.nats().max_payload());
    for stored in events {
        let copied = EventRow::from_stored(stored).and_then(|event| copy::message(event, epoch, max_payload));
        let Some((payload, mut headers)) = readable(stored, copied) else { continue };
        let subject = live_subject(stored.feed_id);
        hub.seal().put(&subject, &mut headers, &payload);
        if let Err(error) = hub.nats().publish_with_headers(subject, headers, payload).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an event was not passed on");
            return;
        }
    }
}

fn readable<T>(stored: &StoredEvent, read: Result<T, serde_json::Error>) -> Option<T> {
    read.inspect_err(|error| {
        tracing::error!(position = stored.position, error = error as &dyn std::error::Error, "an event cannot be read");
    })
    .ok()
}
