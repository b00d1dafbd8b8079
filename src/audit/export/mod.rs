//! Exports: a part of the log as a file that proves itself, for who trusts neither the service nor its database.
//!
//! The format is told in `docs/auditing.md`. A file has the events of its scope completely, and of others what an auditor
//! needs to know to judge them ([`context`]). All else that is in the log is there as hashes.

mod context;
mod header;
mod line;
mod pages;
mod positions;
mod rows;
mod sink;
mod writer;

pub use header::{Consistency, End, EpochHead, FORMAT, FORMAT_FAMILY, FeedHead, Header, Scope};
pub use line::{Buffers, EventLine, Tie, read_hashes, written_hashes, written_time};
pub use sink::{Gzip, Sink};
pub use writer::{Asked, Export, ExportError, Written};
