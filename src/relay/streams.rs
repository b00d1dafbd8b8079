//! The streams: how they are set up, and the epoch that each is bound to.

use std::time::Duration;

use async_nats::{
    header::NATS_EXPECTED_LAST_SEQUENCE,
    jetstream::{
        Context, ErrorCode,
        context::{CreateStreamErrorKind, GetStreamErrorKind},
        stream::{Config, Info, RawMessageErrorKind, RetentionPolicy, StorageType, Stream},
    },
};
use uuid::Uuid;

use super::{RelayConfig, error::RelayError};
use crate::messaging::{header, seal::Seal};

/// How long JetStream remembers message ids.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// Bytes that the stream of events keeps at least.
const LEAST_BYTES: i64 = 1024 * 1024;
/// What the stream of events takes.
const SUBJECTS: &str = "events.>";
/// What a stream's description ends in. (The description, for the client has no stream metadata without opting out of
/// servers before 2.10.)
const EPOCH_MARK: &str = "epoch ";

/// What a message of the stream of events says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
}

pub(super) fn events_config(config: &RelayConfig, epoch: Uuid) -> Config {
    Config {
        name: config.events_stream.clone(),
        description: Some(format!("Copy of the event log, {EPOCH_MARK}{epoch}")),
        subjects: vec![SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_age: config.max_age,
        max_bytes: config.max_bytes,
        num_replicas: config.replicas,
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: true,
        ..Config::default()
    }
}

/// The epoch that a stream is bound to; none for one that the relay did not make.
pub(super) fn epoch_of(config: &Config) -> Option<Uuid> {
    let (_, epoch) = config.description.as_deref()?.rsplit_once(EPOCH_MARK)?;
    Uuid::try_parse(epoch).ok()
}

/// Whether the stream of events keeps as much as it should, or less, because the server has no more room.
pub(super) fn has_limits(stream: &Config, config: &RelayConfig) -> bool {
    stream.max_age == config.max_age && (1..=config.max_bytes).contains(&stream.max_bytes)
}

/// Creates the stream of events, or changes the limits and the description of the `known` one, and nothing else: how many copies a
/// cluster keeps is the operator's to say. A server sets aside the bytes that a stream may keep: one that has not so many gets a
/// stream that keeps less.
pub(super) async fn limit_events(
    jetstream: &Context,
    config: &RelayConfig,
    epoch: Uuid,
    known: Option<&Config>,
) -> Result<(), RelayError> {
    let wanted = events_config(config, epoch);
    let mut events = match known {
        Some(known) => Config {
            description: wanted.description,
            subjects: wanted.subjects,
            max_age: wanted.max_age,
            max_bytes: wanted.max_bytes,
            ..known.clone()
        },
        None => wanted,
    };
    loop {
        let outcome = if known.is_some() {
            jetstream.update_stream(&events).await.map(drop)
        } else {
            tracing::info!(stream = events.name, bytes = events.max_bytes, "creating a JetStream stream");
            jetstream.create_stream(events.clone()).await.map(drop)
        };
        match outcome {
            Err(error) if lacks_room(&error.kind()) && events.max_bytes / 2 >= LEAST_BYTES => {
                events.max_bytes /= 2;
                tracing::warn!(stream = events.name, bytes = events.max_bytes, "NATS has little room: it keeps less");
            }
            outcome => return outcome.map_err(RelayError::nats("creating a stream, or setting its limits")),
        }
    }
}

fn lacks_room(kind: &CreateStreamErrorKind) -> bool {
    let CreateStreamErrorKind::JetStream(error) = kind else { return false };
    matches!(
        error.error_code(),
        ErrorCode::CLUSTER_NO_PEERS
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
    )
}

/// A stream as it is now; none when it is missing.
pub(super) async fn find(jetstream: &Context, name: &str) -> Result<Option<Stream<Info>>, RelayError> {
    match jetstream.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(reason) if reason.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(RelayError::nats("asking for a stream")(error)),
        },
    }
}

/// What the message at `sequence` says about itself. The outer `None`: no message; the inner: not one that a relay put there.
pub(super) async fn stamp(
    stream: &Stream<Info>,
    sequence: u64,
    seal: &Seal,
) -> Result<Option<Option<Stamp>>, RelayError> {
    let message = match stream.get_raw_message(sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(None),
        Err(error) => return Err(RelayError::nats("reading a message")(error)),
    };
    // A relay's own message, sent again by somebody else, names another place.
    let before = message.headers.get(NATS_EXPECTED_LAST_SEQUENCE).and_then(|value| value.as_str().parse().ok());
    let is_in_place = before.is_some_and(|before: u64| before.checked_add(1) == Some(sequence));
    if !is_in_place || !seal.holds_for(&message.subject, Some(&message.headers), &message.payload) {
        return Ok(Some(None));
    }
    let position = message.headers.get(header::POSITION).and_then(|value| value.as_str().parse().ok());
    let event_id = message.headers.get(header::EVENT_ID).and_then(|value| Uuid::try_parse(value.as_str()).ok());
    Ok(Some(position.zip(event_id).map(|(position, event_id)| Stamp { position, event_id })))
}

/// The sequence of the last message that is there; none where there is none.
pub(super) async fn last_sequence(stream: &Stream<Info>) -> Result<Option<u64>, RelayError> {
    match stream.get_last_raw_message_by_subject(SUBJECTS).await {
        Ok(message) => Ok(Some(message.sequence)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(RelayError::nats("looking for the last message")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_tells_its_epoch() {
        let epoch = Uuid::now_v7();
        assert_eq!(epoch_of(&events_config(&RelayConfig::default(), epoch)), Some(epoch));
        assert_eq!(epoch_of(&Config::default()), None);
    }
}
