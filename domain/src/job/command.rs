//! What may be asked of a job.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{CancelReason, Outcome, Work};
use crate::ids::{AccountId, ProjectId};

/// What may be asked of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobCommand {
    /// Ask for the work to be done.
    Request {
        /// The project it belongs to; without one it belongs to the account.
        project_id: Option<ProjectId>,
        /// The account that asks. A job without a project belongs to the feed of this account.
        submitted_by: AccountId,
        /// What is to be done.
        work: Work,
        /// How often the work may be tried, at least once.
        max_attempts: u32,
    },
    /// A worker takes up an attempt.
    Start {
        /// The attempt, counted from 1.
        attempt: u32,
        /// The id of the worker that runs the attempt. Each worker process draws its id when it starts.
        worker_id: Uuid,
    },
    /// The work was done; its outcome says how well.
    Finish {
        /// The attempt that ended, counted from 1. It must be the one that is running.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
        /// When to try again, should it have failed and attempts be left.
        retry_at: OffsetDateTime,
    },
    /// End it, whether it waits or runs.
    Cancel {
        /// Why the job is ended. The event `JobCancelled` carries it.
        reason: CancelReason,
    },
    /// The attempt ended without an outcome: its worker died, or could not run it.
    Interrupt {
        /// The attempt that was interrupted, counted from 1. It must be the one that is running.
        attempt: u32,
        /// When to try again.
        retry_at: OffsetDateTime,
    },
}
