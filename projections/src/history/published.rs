//! An event as everybody outside sees it: the same JSON in the history, on JetStream and on a WebSocket. The history alone adds who
//! caused it by name, which is looked up when it is read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use super::EventRow;

/// An event as everybody outside sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublishedEvent {
    /// Its place in the whole log.
    pub position: i64,
    /// Its place in the feed.
    pub seq: i64,
    /// Id of the event, unique in the whole log.
    pub event_id: Uuid,
    /// The feed (project, organization or account) it belongs to.
    pub feed_id: Uuid,
    /// Name of the event, such as `ProjectCreated`.
    pub event_type: String,
    /// Version of the stored form.
    pub event_version: String,
    /// What kind of thing it happened to.
    pub aggregate_type: String,
    /// What it happened to.
    pub aggregate_id: String,
    /// Its place in the aggregate's stream.
    pub sequence: i64,
    /// When it was decided.
    pub occurred_at: String,
    /// When the log recorded it; never runs backwards along the log.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// Who caused it: an account's id, or `system:<part>`.
    pub actor: String,
    /// What belongs together: the id of the request that everything downstream of it shares.
    pub correlation_id: Option<String>,
    /// The event's content, the stored bytes.
    pub data: Box<RawValue>,
}

/// The actor as the API names it, from the form in the log: people by their account's id alone.
pub fn public_actor(stored: &str) -> &str {
    stored.strip_prefix("account:").unwrap_or(stored)
}

/// The actor as the log names it, from the form in the API.
pub fn stored_actor(public: &str) -> Cow<'_, str> {
    if public.contains(':') { public.into() } else { format!("account:{public}").into() }
}

impl PublishedEvent {
    /// From a row of the log.
    pub fn from_row(row: EventRow) -> Self {
        let mut metadata = row.metadata.0;
        Self {
            position: row.position,
            seq: row.feed_seq,
            event_id: row.event_id,
            feed_id: row.feed_id,
            event_type: row.event_type,
            event_version: row.event_version,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            occurred_at: metadata.remove("occurred_at").unwrap_or_default(),
            recorded_at: row.recorded_at,
            actor: metadata.get("actor").map(|actor| public_actor(actor).to_owned()).unwrap_or_default(),
            correlation_id: metadata.remove("correlation_id"),
            data: row.payload.0,
        }
    }
}
