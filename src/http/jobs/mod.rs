//! `/jobs`

pub mod artifacts;
mod bulk;
pub mod bulk_cancel;
pub mod bulk_delete;
pub mod bulk_retry;
pub mod cancel;
pub mod delete;
pub mod list;
pub mod logs;
mod model;
pub mod read;
mod request;
pub mod retry;
pub mod rules;
pub mod submit;

pub use model::JobType;
pub use request::ScheduledJobRequest;

/// Largest body of a submission: everything in it at its limit, and escaped.
pub const SUBMIT_LIMIT: usize = 6 * (1024 * 1024 + 2 * 100 * 4096 + 128 * 1024) + 256 * 1024;
