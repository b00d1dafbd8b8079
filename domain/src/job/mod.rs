//! A job: a piece of background work, its attempts and its end.
//!
//! `JobRequested → JobStarted → JobSucceeded | JobAttemptFailed | JobInterrupted | JobSnoozed`. After the last three the next
//! attempt is due at its time, or the job is `JobDeadLettered`. `JobCancelled` may come at any time before the end; what was
//! given up or cancelled may be `JobRedriven`, unless what it works on was redacted. A job that is over may be `JobDeleted`;
//! nothing follows. Heartbeats, inputs and output are rows, not events; of two workers that start one attempt, the expected
//! sequence lets one win.

mod aggregate;
mod command;
mod control;
mod event;
mod program;
mod redact;
pub(crate) mod refusal;
mod work;

pub use aggregate::{Job, JobState, JobStatus, MAX_SUSPICIONS};
pub use command::JobCommand;
pub use control::{ControlAction, ControlCounts, ControlFilter};
pub use event::{AttemptFailure, CancelReason, Interruption, JobEvent, Request};
pub use program::{GivenRefused, NotGiven, check_arguments, check_variables};
pub use refusal::JobRefusal;
pub use work::{
    Code, InlineProgram, Input, Key, Language, LimitHit, MaxAttempts, Outcome, Priority, Source, Timeout, Work,
};
