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
        /// Who asks.
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
        /// The worker.
        worker_id: Uuid,
    },
    /// The work was done; its outcome says how well.
    Finish {
        /// The attempt.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
        /// When to try again, should it have failed and attempts be left.
        retry_at: OffsetDateTime,
    },
    /// End it, whether it waits or runs.
    Cancel {
        /// Why.
        reason: CancelReason,
    },
    /// The attempt ended without an outcome: its worker died, or could not run it.
    Interrupt {
        /// The attempt.
        attempt: u32,
        /// When to try again.
        retry_at: OffsetDateTime,
    },
}
