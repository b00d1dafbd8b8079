//! A copy of an event as a message: the same for all who send one.

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;
use workroom_projections::history::{EventRow, PublishedEvent};

use super::header;

/// Bytes that headers and protocol may add to a payload.
const ENVELOPE_BYTES: usize = 1280;

/// Payload and headers of a copy of an event, of the history that `epoch` names, for a server that takes messages of `max_payload`
/// bytes. An event that is too large for it goes without its data, and says so. The message is not sealed yet.
///
/// # Errors
/// The event cannot be written as JSON.
pub fn message(event: EventRow, epoch: Uuid, max_payload: usize) -> Result<(Bytes, HeaderMap), serde_json::Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::POSITION, event.position.to_string());
    headers.insert(header::FEED_SEQ, event.feed_seq.to_string());
    headers.insert(header::EVENT_ID, event.event_id.to_string());
    headers.insert(header::EPOCH, epoch.to_string());
    let mut published = PublishedEvent::from_row(event);
    let mut payload = serde_json::to_vec(&published)?;
    if payload.len() > max_payload.saturating_sub(ENVELOPE_BYTES) {
        published.data = RawValue::NULL.to_owned();
        payload = serde_json::to_vec(&published)?;
        headers.insert(header::DATA_OMITTED, "true");
    }
    Ok((payload.into(), headers))
}
