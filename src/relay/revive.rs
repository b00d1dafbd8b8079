//! Streams that stay broken after a full disk.
//!
//! JetStream keeps the first error of writing a stream's file: from then on it acknowledges nothing that is published to that
//! stream, and cannot empty it, though it answers every question about it, until it is deleted or the server starts anew. Whether
//! the disk is still full it does not say. So another stream is tried: where that takes a message, the broken one is deleted, to
//! be made and filled again; where it does not, there is nothing to be done but wait.

use async_nats::jetstream::{
    Context,
    stream::{Config, StorageType},
};
use bytes::Bytes;

use super::error::RelayError;

/// Bytes that must find room on the disk before a stream is made anew.
const TRIAL_BYTES: usize = 256 * 1024;

/// Deletes a stream that takes nothing, if the server has room for another one.
pub(super) async fn revive(jetstream: &Context, stream: &str) -> Result<(), RelayError> {
    let name = format!("{stream}_TRIAL");
    let subject = format!("workroom.trial.{stream}");
    let config =
        Config { name: name.clone(), subjects: vec![subject.clone()], storage: StorageType::File, ..Config::default() };
    let taken = try_out(jetstream, config, subject).await;
    if let Err(error) = jetstream.delete_stream(&name).await {
        tracing::debug!(error = &error as &dyn std::error::Error, stream = name, "a stream could not be deleted");
    }
    taken?;
    tracing::warn!(stream, "a stream takes nothing though there is room: it is made anew");
    jetstream.delete_stream(stream).await.map_err(RelayError::nats("deleting a stream"))?;
    Ok(())
}

async fn try_out(jetstream: &Context, config: Config, subject: String) -> Result<(), RelayError> {
    const TRYING: &str = "trying another stream";
    jetstream.create_stream(config).await.map_err(RelayError::nats(TRYING))?;
    let size = TRIAL_BYTES.min(jetstream.client().max_payload());
    let ack = jetstream.publish(subject, Bytes::from(vec![0; size])).await.map_err(RelayError::nats(TRYING))?;
    ack.await.map_err(RelayError::nats(TRYING))?;
    Ok(())
}
