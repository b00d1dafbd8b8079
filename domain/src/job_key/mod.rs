//! A key of jobs: of the jobs of a project (or account) that have it one runs at a time.
//!
//! Its id is derived from both. An attempt of such a job starts only while the key is granted to it, and the key is granted to
//! another only when that attempt is over: both are guarded in the log, whoever hands out jobs, and however many do.

mod aggregate;
mod event;

pub use aggregate::{Claim, Grant, JobKey, JobKeyCommand, JobKeyRefusal};
pub use event::JobKeyEvent;
