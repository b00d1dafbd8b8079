//! The relay: copies the log to JetStream as it grows, in order and each event once.
//!
//! The log is the truth and the streams are copies, so the relay keeps no memory of its own that could be wrong. It
//! trusts what it published as long as every acknowledgement says what it must; after any doubt (start, reconnect,
//! time-out, a sequence out of place, a missing stream) it asks the stream itself where it stands ([`resync`]), and
//! goes on from there ([`copy`]).
//!
//! Each publish names the sequence that the stream must have before it, so two relays at once (a deposed leader that
//! does not know it yet) or a late retry cannot double or reorder anything: all but the one in place are refused.
//!
//! The stream of events keeps what the log has had lately: it is bounded by age and size, and one that was wiped goes on from where
//! the copy was. Nothing live waits for it.
//!
//! Where the stream contradicts the log, the log wins. A stream whose end is gone, or holds somebody else's message, is emptied; one
//! that is *ahead* of the log, or tells another history, means that Postgres was restored to an
//! earlier state: the log begins a new epoch, by which everybody who saw the lost future can tell, and the stream is
//! made anew.
//!
//! A stream whose disk was full keeps refusing what is written to it after there is room again, until it is deleted: once there is
//! room it is made anew ([`revive`]).
//!
//! Each copy carries a [seal](crate::messaging::seal), which names its place in the stream: so a message that somebody else put there
//! is never taken for a copy, and the stream is emptied.
//!
//! What is redacted in the log is deleted from the stream ([`erase`]).
//!
//! One relay leads, elected as the projection runners are ([`leader`](workroom_projections::leader)); a relay without NATS does
//! not stand for election.

mod config;
mod copy;
mod erase;
mod error;
mod lead;
mod resync;
mod revive;
mod status;
mod streams;

pub use config::RelayConfig;
pub use lead::Relay;
pub use status::RelayStatus;
