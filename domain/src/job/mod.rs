//! A job: a piece of background work, its attempts and its end.
//!
//! `JobRequested → JobStarted → JobSucceeded | JobAttemptFailed → (JobStarted … | JobDeadLettered)`, or `JobCancelled` at any
//! time. Leases, heartbeats and output are rows, not events; of two workers that start one attempt, the expected sequence lets
//! one win.

mod aggregate;
mod command;
mod event;
mod refusal;
mod work;

pub use aggregate::{Job, JobState, JobStatus, MAX_INTERRUPTIONS};
pub use command::JobCommand;
pub use event::{AttemptFailure, CancelReason, JobEvent};
pub use refusal::JobRefusal;
pub use work::{Code, Language, LimitHit, Outcome, Timeout, Work};
