//! Why the relay had to stop and think.

use std::{future::Future, time::Duration};

use tokio::time::timeout;
use workroom_projections::log::LogError;

use super::RelayConfig;

/// How long the database may take over one statement.
pub(super) const DATABASE_DEADLINE: Duration = Duration::from_secs(8);

/// What writes to the stream of events.
pub(super) const PUBLISHING_EVENT: &str = "publishing an event";
pub(super) const EMPTYING_EVENTS: &str = "emptying the stream of events";

/// Why the relay had to stop.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// The log has a hole (law 4), which nothing may be published behind.
    #[error(transparent)]
    Log(LogError),
    /// The database did not answer, or the leader's lock went with its connection.
    #[error("the database failed the relay")]
    Database(#[from] sqlx::Error),
    /// The database took too long.
    #[error("the database did not answer the relay in time")]
    DatabaseSilent,
    /// The key that copies are sealed with could not be had.
    #[error("the database did not give the relay its key")]
    NoSeal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection to NATS was lost, so whatever was in flight is in doubt.
    #[error("the connection to NATS was lost")]
    Disconnected,
    /// Another process leads by now.
    #[error("another process was elected")]
    Deposed,
    /// JetStream refused something, or did not answer.
    #[error("NATS failed the relay: {doing}")]
    Nats { doing: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    /// A stream is not as it was left.
    #[error("the stream is not as the relay left it: {0}")]
    Doubt(String),
    /// An event could not be written as JSON.
    #[error("the event at position {position} cannot be published")]
    Json { position: i64, source: serde_json::Error },
}

impl RelayError {
    pub(super) fn nats<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |error| Self::Nats { doing, source: error.into() }
    }

    /// Whether the log itself is at fault, so that the relay may not go on whatever happens to its connections.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Log(_) | Self::Json { .. } => true,
            Self::Database(error) => matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)),
            Self::DatabaseSilent
            | Self::NoSeal(_)
            | Self::Disconnected
            | Self::Deposed
            | Self::Nats { .. }
            | Self::Doubt(_) => false,
        }
    }

    /// The stream that would not take what was written to it, if it was that.
    pub(super) fn refusing_stream<'a>(&self, config: &'a RelayConfig) -> Option<&'a str> {
        match self {
            Self::Nats { doing: PUBLISHING_EVENT | EMPTYING_EVENTS, .. } => Some(&config.events_stream),
            _ => None,
        }
    }

    /// Whether asking the stream again may help while this relay goes on leading.
    pub(super) fn is_doubt(&self) -> bool {
        matches!(self, Self::Nats { .. } | Self::Doubt(_))
    }
}

/// An answer of the database, in time.
pub(super) async fn answer<T>(question: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, RelayError> {
    match timeout(DATABASE_DEADLINE, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RelayError::DatabaseSilent),
    }
}
