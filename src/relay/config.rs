//! Names and sizes.

/// What the relay's streams are called. Two deployments that share a NATS account must not share streams: each would
/// take the other's events for a lost future. Give each an account.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The stream that holds a copy of the log.
    pub events_stream: String,
    /// The work queue.
    pub jobs_stream: String,
    /// Copies that a NATS cluster keeps of each stream, when the relay creates it.
    pub replicas: usize,
    /// How many events are read, and may wait for their acknowledgement, at a time.
    pub batch: u16,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { events_stream: "EVENTS".to_owned(), jobs_stream: "JOBS".to_owned(), replicas: 1, batch: 512 }
    }
}
