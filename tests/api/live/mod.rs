//! The live gateway, as subscribers meet it.

mod access;
mod browser;
mod document;
mod door;
mod doubt;
mod drills;
mod expiry;
mod feeds;
mod file_rooms;
mod frames;
mod frozen_nats;
mod heads;
mod hole;
mod large;
mod lost_rights;
mod malformed;
mod order;
mod origin;
mod outage;
mod output;
mod publish_quota;
mod raw;
mod redaction;
mod resume;
mod rooms;
mod shutdown;
mod sign_in;
mod slow;
mod streams;
mod subscribe;
mod tickets;
mod ways;

use std::ops::RangeInclusive;

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workroom::event_store::{AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend};

use crate::support::{Person, Socket};

/// Changes something in a project: one event.
async fn edit(person: &Person, project: &str) {
    let change = json!({"description": format!("as of {}", Uuid::now_v7())});
    person.patch(&format!("/projects/{project}"), change).await.is(200);
}

/// The place of a project's last event.
async fn head(person: &Person, project: &str) -> i64 {
    person.history(project).await.last().expect("a project has events")["seq"].as_i64().expect("a seq")
}

/// Subscribes to what comes; returns the `subscribed` frame.
async fn follow(socket: &mut Socket, project: &str) -> Value {
    socket.send(json!({"type": "subscribe", "project_id": project})).await;
    let subscribed = socket.expect("subscribed").await;
    socket.expect("caught_up").await;
    subscribed
}

/// Asserts that the socket is alive and has nothing to say.
async fn is_quiet(socket: &mut Socket) {
    socket.send(json!({"type": "ping"})).await;
    let frame = socket.next().await.expect("an open socket");
    assert_eq!(frame, json!({"type": "pong"}));
}

/// The places of events.
fn seqs(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["seq"].as_i64().expect("a seq")).collect()
}

/// These places, one after the other.
fn places(places: RangeInclusive<i64>) -> Vec<i64> {
    places.collect()
}

/// Writes events that no view knows, of any size, past the API and its limits.
struct Notes {
    log: EventLog,
    project: Uuid,
    id: Uuid,
    written: i64,
}

impl Notes {
    /// Notes in a project.
    async fn of(project: &str, pool: PgPool) -> Self {
        let log = EventLog::open(pool, AppendLimits::default()).await.expect("the log");
        Self { log, project: project.parse().expect("an id"), id: Uuid::now_v7(), written: 0 }
    }

    /// Writes so many notes of this text.
    async fn write(&mut self, count: usize, text: &str) {
        let metadata = json!({
            "actor": "system:worker", "occurred_at": "2026-11-20T10:00:00Z", "correlation_id": Uuid::nil().to_string(),
        });
        let note = || NewEvent {
            event_id: Uuid::now_v7(),
            event_type: "NoteWritten".to_owned(),
            event_version: "1".to_owned(),
            payload: json!({"type": "NoteWritten", "text": text}).to_string(),
            metadata: metadata.to_string(),
        };
        let expected = Expected { aggregate_type: "note", aggregate_id: self.id, sequence: self.written };
        let events = std::iter::repeat_with(note).take(count).collect();
        let streams = vec![StreamAppend { expected, feed_id: self.project, events }];
        self.log.append(AppendRequest { streams, ..AppendRequest::default() }).await.expect("a commit");
        self.written += i64::try_from(count).expect("a small number");
    }
}
