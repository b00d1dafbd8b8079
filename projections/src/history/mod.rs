//! History: a feed's events in order. The log itself is the view, read through its index by feed; a copy could only be
//! slower to write and later to show (see `docs/adr/0004-history-reads-the-log.md`).

mod causes;
mod published;
mod query;
mod redacted;

pub use causes::{Cause, Which, cause, last_cause};
pub use published::{PublishedEvent, public_actor, stored_actor};
pub use query::{EventRow, Filter, feed_head, find, list, log_since, portion, since};
pub use redacted::{PAYLOAD_REDACTED, redacted, redacts};
