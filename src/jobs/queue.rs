//! The work queue in JetStream: attempts that a worker may take up now, and no more than workers have room for.
//!
//! A message is a hint, not an order: workers fence by appending to the log, so one too many does no harm. The stream is kept in
//! memory: whatever is lost of it the dispatcher hands out again.

use std::time::Duration;

use async_nats::jetstream::{
    Context, ErrorCode,
    consumer::{AckPolicy, pull},
    context::{GetStreamErrorKind, PublishAckFuture},
    message::PublishMessage,
    stream::{Config, Info, RawMessageErrorKind, RetentionPolicy, StorageType, Stream},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Pool;

/// The stream's name.
pub const QUEUE: &str = "JOBS";
/// How long a message may be in a worker's hands before its attempt is started; after that the queue gives it to another.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// Messages that may be in workers' hands at a time.
const IN_HANDS: i64 = 100_000;

/// An attempt that may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMessage {
    /// Id of the job, which is its aggregate's id in the log.
    pub job_id: Uuid,
    /// The attempt to start, counted from 1.
    pub attempt: u32,
}

/// The queue does not do its part; try again later.
#[derive(Debug, thiserror::Error)]
#[error("the work queue failed: {doing}")]
pub(super) struct QueueError {
    doing: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl QueueError {
    pub(super) fn at<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |error| Self { doing, source: error.into() }
    }
}

/// The queue as its dispatcher has it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue {
    jetstream: Context,
    stream: Stream<Info>,
}

fn config() -> Config {
    Config {
        name: QUEUE.to_owned(),
        description: Some("Work queue".to_owned()),
        subjects: vec!["jobs.>".to_owned()],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::Memory,
        ..Config::default()
    }
}

impl Queue {
    /// Opens the queue, and makes what is missing of it.
    pub(super) async fn open(jetstream: &Context) -> Result<Self, QueueError> {
        let stream = match find(jetstream).await? {
            Some(stream) if is_as_it_should_be(&stream.cached_info().config) => stream,
            Some(_) => {
                let deleted = jetstream.delete_stream(QUEUE).await;
                deleted.map_err(QueueError::at("replacing the queue of an earlier version"))?;
                create(jetstream).await?
            }
            None => create(jetstream).await?,
        };
        for pool in Pool::ALL {
            let consumer = pull::Config {
                durable_name: Some(pool.as_str().to_owned()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: ACK_WAIT,
                max_deliver: -1,
                max_ack_pending: IN_HANDS,
                filter_subject: pool.subject(),
                ..pull::Config::default()
            };
            let made = stream.get_or_create_consumer(pool.as_str(), consumer).await;
            made.map_err(QueueError::at("making the workers' consumers"))?;
        }
        Ok(Self { jetstream: jetstream.clone(), stream })
    }

    /// When the stream was made: another one holds nothing of what was handed out before.
    pub(super) fn made_at(&self) -> OffsetDateTime {
        self.stream.cached_info().created
    }

    /// Insists that workers can take what is in it: consumers may be lost while the stream is not.
    pub(super) async fn check(&self) -> Result<(), QueueError> {
        for pool in Pool::ALL {
            let asked = self.stream.consumer_info(pool.as_str()).await;
            asked.map_err(QueueError::at("looking for the workers' consumers"))?;
        }
        Ok(())
    }

    /// Empties it: of what another has put in there nothing is known.
    pub(super) async fn empty(&self) -> Result<(), QueueError> {
        self.stream.purge().await.map(drop).map_err(QueueError::at("emptying it"))
    }

    /// Hands out an attempt; the queue has it once the answer says so.
    pub(super) async fn publish(&self, pool: Pool, message: JobMessage) -> Result<PublishAckFuture, QueueError> {
        let payload = serde_json::to_vec(&message).map_err(QueueError::at("writing a message"))?;
        let publish = PublishMessage::build().payload(payload.into());
        self.jetstream.send_publish(pool.subject(), publish).await.map_err(QueueError::at("publishing"))
    }

    /// Whether the message with this sequence is there: not done, and not lost.
    pub(super) async fn holds(&self, sequence: u64) -> Result<bool, QueueError> {
        match self.stream.get_raw_message(sequence).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(false),
            Err(error) => Err(QueueError::at("looking for a message")(error)),
        }
    }
}

fn is_as_it_should_be(found: &Config) -> bool {
    let wanted = config();
    found.retention == wanted.retention && found.storage == wanted.storage && found.subjects == wanted.subjects
}

async fn create(jetstream: &Context) -> Result<Stream<Info>, QueueError> {
    tracing::info!(stream = QUEUE, "creating a JetStream stream");
    jetstream.create_stream(config()).await.map_err(QueueError::at("making it"))
}

async fn find(jetstream: &Context) -> Result<Option<Stream<Info>>, QueueError> {
    match jetstream.get_stream(QUEUE).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(reason) if reason.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(QueueError::at("asking for it")(error)),
        },
    }
}
