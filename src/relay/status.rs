//! What the relay says about itself.

/// How a process' relay is doing, for readiness and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// Whether this process' relay is the one at work.
    pub leading: bool,
    /// The last position that the stream of events is known to hold, as of when this relay last led.
    pub position: i64,
    /// The sequence of that position's message in the stream.
    pub sequence: u64,
    /// What went wrong last, until things go well again.
    pub last_error: Option<String>,
    /// Whether the relay has stopped because the log has a hole; it tries again now and then.
    pub halted: bool,
}
