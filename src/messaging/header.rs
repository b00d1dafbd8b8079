//! Names of the headers on each message of the stream of events.

/// The event's place in the log.
pub const POSITION: &str = "Workroom-Position";
/// The event's place in its feed.
pub const FEED_SEQ: &str = "Workroom-Feed-Seq";
/// The event's identity.
pub const EVENT_ID: &str = "Workroom-Event-Id";
/// The history that the event belongs to.
pub const EPOCH: &str = "Workroom-Epoch";
/// Present when the event's `data` was left out (`null`) because NATS would not carry it: read it from the log.
pub const DATA_OMITTED: &str = "Workroom-Data-Omitted";
