//! One batch of the log on its way to the streams.

use std::fmt::Write as _;

use async_nats::{
    HeaderMap,
    header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID},
    jetstream::{
        Context,
        context::{PublishAckFuture, PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use bytes::Bytes;
use workroom_projections::{history::EventRow, log::LogError};

use super::{
    error::{PUBLISHING_EVENT, RelayError},
    resync::Cursor,
};
use crate::messaging::{copy, header, seal::Seal};

/// Bytes that may wait for their acknowledgement.
const IN_FLIGHT_BYTES: usize = 8 * 1024 * 1024;

/// Checks that a batch follows on `after` without a hole.
pub(super) fn check_contiguous(events: &[EventRow], after: i64) -> Result<(), RelayError> {
    let mut last = after;
    for event in events {
        if event.position != last + 1 {
            return Err(RelayError::Log(LogError::Hole { after: last, found: event.position }));
        }
        last = event.position;
    }
    Ok(())
}

/// Publishes events behind the stream's last message, in order, and returns the cursor once all are in their places.
/// `salt` makes the ids differ from those of earlier publications that JetStream may remember.
///
/// Each names its predecessor, so that the last one is acknowledged means that all are. The first one is asked for, too:
/// where it is refused, its answer has the reason, and those of what follows have not.
pub(super) async fn publish_events(
    jetstream: &Context,
    events: Vec<EventRow>,
    cursor: Cursor,
    seal: &Seal,
    salt: &mut u32,
) -> Result<Cursor, RelayError> {
    let (mut cursor, mut sent) = (cursor, cursor);
    let mut acks: Vec<(u64, PublishAckFuture)> = Vec::with_capacity(2);
    let mut bytes = 0;
    let mut events = events.into_iter().peekable();
    while let Some(event) = events.next() {
        let position = event.position;
        let subject = format!("events.{}.{}.{}", event.feed_id, event.aggregate_type, event.event_type);
        let (payload, mut headers) = message(event, sent, *salt, jetstream.client().max_payload())?;
        seal.put(&subject, &mut headers, &payload);
        bytes += payload.len();
        sent = Cursor { position, sequence: sent.sequence + 1, ..sent };
        let is_last = events.peek().is_none() || bytes >= IN_FLIGHT_BYTES;
        if is_last || acks.is_empty() {
            let publish = PublishMessage::build().payload(payload).headers(headers);
            let ack = jetstream.send_publish(subject, publish).await.map_err(refused)?;
            acks.push((sent.sequence, ack));
        } else {
            let published = jetstream.client().publish_with_headers(subject, headers, payload).await;
            published.map_err(RelayError::nats(PUBLISHING_EVENT))?;
        }
        if is_last {
            await_acks(&mut acks, salt).await?;
            (cursor, bytes) = (sent, 0);
        }
    }
    Ok(cursor)
}

async fn await_acks(acks: &mut Vec<(u64, PublishAckFuture)>, salt: &mut u32) -> Result<(), RelayError> {
    for (expected, ack) in acks.drain(..) {
        let ack = ack.await.map_err(refused)?;
        if ack.sequence != expected {
            // Taken for a repetition of a message that is elsewhere or gone. Another id, then.
            *salt += u32::from(ack.duplicate);
            return Err(RelayError::Doubt(format!("expected sequence {expected}, got {}", ack.sequence)));
        }
    }
    Ok(())
}

fn refused(error: PublishError) -> RelayError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => RelayError::Doubt("another message came first".to_owned()),
        PublishErrorKind::StreamNotFound => RelayError::Doubt("it is missing".to_owned()),
        _ => RelayError::nats(PUBLISHING_EVENT)(error),
    }
}

/// Payload and headers of an event that goes behind `last`.
fn message(event: EventRow, last: Cursor, salt: u32, max_payload: usize) -> Result<(Bytes, HeaderMap), RelayError> {
    let position = event.position;
    let copied = copy::message(event, last.epoch, max_payload);
    let (payload, mut headers) = copied.map_err(|source| RelayError::Json { position, source })?;
    if headers.get(header::DATA_OMITTED).is_some() {
        // One event that NATS would not carry must not stop all that follow.
        tracing::warn!(position, "an event is too large for NATS: published without its data");
    }
    headers.insert(NATS_MESSAGE_ID, message_id(position, last.sequence, salt));
    headers.insert(NATS_EXPECTED_LAST_SEQUENCE, last.sequence.to_string());
    Ok((payload, headers))
}

/// The id of a publication: the position, when the event goes where it would in a stream filled once. In any other
/// place it is a re-publication, and JetStream would swallow an id that it still remembers; so the place is added.
fn message_id(position: i64, last_sequence: u64, salt: u32) -> String {
    let mut id = position.to_string();
    let shift = i128::from(last_sequence) + 1 - i128::from(position);
    if shift != 0 || salt != 0 {
        let _ = write!(id, ".{shift}");
    }
    if salt != 0 {
        let _ = write!(id, ".{salt}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_republication_gets_an_id_of_its_own() {
        assert_eq!(message_id(1, 0, 0), "1");
        assert_eq!(message_id(500, 499, 0), "500");
        assert_eq!(message_id(1, 500, 0), "1.500");
        assert_eq!(message_id(1, 0, 2), "1.0.2");
    }
}
