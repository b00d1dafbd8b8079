//! What was redacted is taken out of the copy, too.
//!
//! Before the event that says so is published, the old message is deleted, and the server writes over its bytes. A relay that dies in
//! between finds that event unpublished, and begins with it again. What is left is a hole in the sequence of the stream: the tombstone
//! is in the log, for a message cannot be put in the place of another.

use async_nats::jetstream::{
    Context,
    stream::{Info, Stream},
};
use futures::TryStreamExt;
use workroom_projections::history::{self, EventRow};

use super::{
    RelayConfig,
    error::{EMPTYING_EVENTS, RelayError},
    resync::Cursor,
    streams,
};
use crate::messaging::seal::Seal;

/// Messages that are deleted at a time: each takes the server as long as writing to its disk does.
const AT_ONCE: usize = 16;
const ERASING_EVENT: &str = "deleting a redacted event";

/// The positions of the events whose payload these say was taken out.
pub(super) fn redacted(events: &[EventRow]) -> Vec<i64> {
    events.iter().filter_map(|event| history::redacts(&event.event_type, event.payload.0.get())).collect()
}

/// Deletes the messages of events that were copied up to `cursor`. Those that the stream has let go of are no loss.
pub(super) async fn erase(
    jetstream: &Context,
    config: &RelayConfig,
    seal: &Seal,
    cursor: Cursor,
    positions: &[i64],
) -> Result<(), RelayError> {
    let Some(stream) = streams::find(jetstream, &config.events_stream).await? else {
        return Err(RelayError::Doubt("it is missing".to_owned()));
    };
    let stream = &stream;
    let each = positions.iter().filter_map(|&position| Some((position, place(cursor, position)?)));
    futures::stream::iter(each.map(Ok))
        .try_for_each_concurrent(AT_ONCE, |(position, sequence)| erase_one(stream, seal, position, sequence))
        .await
}

/// Deletes the message of an event.
async fn erase_one(stream: &Stream<Info>, seal: &Seal, position: i64, sequence: u64) -> Result<(), RelayError> {
    match streams::stamp(stream, sequence, seal).await? {
        None => {}
        Some(Some(stamp)) if stamp.position == position => {
            let deleted = stream.delete_message(sequence).await.map_err(RelayError::nats(ERASING_EVENT))?;
            if !deleted {
                return Err(RelayError::Doubt(format!("it did not delete the message {sequence}")));
            }
            tracing::info!(position, sequence, "a redacted event was deleted from the copy of the log");
        }
        Some(_) => {
            // Wherever the text is, it must not stay: the stream is but a copy.
            tracing::error!(position, sequence, "a redacted event is not in its place in the copy: emptying it");
            stream.purge().await.map_err(RelayError::nats(EMPTYING_EVENTS))?;
            return Err(RelayError::Doubt("it was emptied, for a redacted event was not in its place".to_owned()));
        }
    }
    Ok(())
}

/// The sequence of an event's message. What the stream holds was copied without a gap, so each event is as far from the last one
/// there as in the log.
fn place(cursor: Cursor, position: i64) -> Option<u64> {
    let before = u64::try_from(cursor.position.checked_sub(position)?).ok()?;
    cursor.sequence.checked_sub(before).filter(|sequence| *sequence > 0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_message_is_as_far_from_the_last_as_its_event() {
        let cursor = Cursor { epoch: Uuid::nil(), position: 100, sequence: 40 };
        assert_eq!(place(cursor, 100), Some(40));
        assert_eq!(place(cursor, 61), Some(1));
        assert_eq!(place(cursor, 60), None, "it was never in this stream");
        assert_eq!(place(cursor, 101), None, "it is not there yet");
    }
}
