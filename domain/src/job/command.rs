//! What may be asked of a job.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{CancelReason, Interruption, Outcome, Request};

/// What may be asked of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobCommand {
    /// Ask for the work to be done.
    Request(Box<Request>),
    /// A worker takes up an attempt.
    Start {
        /// The attempt, counted from 1.
        attempt: u32,
        /// The id of the worker that runs the attempt. Each worker process draws its id when it starts.
        worker_id: Uuid,
    },
    /// The work was done.
    Succeed {
        /// The attempt that ended, counted from 1. It must be the one that is running.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// The work was not done, for a reason of its own.
    Fail {
        /// The attempt that ended, counted from 1. It must be the one that is running.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
        /// When to try again, should attempts be left; none where another would end the same.
        retry_at: Option<OffsetDateTime>,
    },
    /// The attempt found that it came too early, and counts for nothing.
    Snooze {
        /// The attempt that ended, counted from 1. It must be the one that is running.
        attempt: u32,
        /// When to try again.
        until: OffsetDateTime,
    },
    /// The attempt ended without an outcome.
    Interrupt {
        /// The attempt that was interrupted, counted from 1. It must be the one that is running.
        attempt: u32,
        /// What interrupted it.
        cause: Interruption,
        /// When to try again.
        retry_at: OffsetDateTime,
    },
    /// End it, whether it waits or runs. Of one that is over nothing is said.
    Cancel {
        /// Why the job is ended. The event `JobCancelled` carries it.
        reason: CancelReason,
    },
    /// Do again what was given up or cancelled.
    Redrive,
    /// Delete what is over.
    Delete,
}
