//! Names and sizes.

use std::time::Duration;

/// What the relay's streams are called. Two deployments that share a NATS account must not share streams: each would
/// take the other's events for a lost future. Give each an account.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The stream that holds a copy of what the log has had lately.
    pub events_stream: String,
    /// How long the stream keeps an event.
    pub max_age: Duration,
    /// Bytes of events that the stream keeps.
    pub max_bytes: i64,
    /// Copies that a NATS cluster keeps of each stream, when the relay creates it.
    pub replicas: usize,
    /// How many events are read, and may wait for their acknowledgement, at a time.
    pub batch: u16,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            events_stream: "EVENTS".to_owned(),
            max_age: Duration::from_hours(72),
            max_bytes: 1024 * 1024 * 1024,
            replicas: 1,
            batch: 512,
        }
    }
}
