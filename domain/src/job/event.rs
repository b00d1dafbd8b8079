//! What can have happened to a job.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Outcome, Work};
use crate::{
    event::domain_event,
    ids::{AccountId, ProjectId},
};

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobAttemptFailure))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum AttemptFailure {
    /// The program reported failure, or hit a limit.
    Program {
        /// How it ended.
        outcome: Outcome,
    },
    /// The worker died, or could not run the program.
    Interrupted,
}

/// What can have happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum JobEvent {
    /// The work was asked for.
    JobRequested {
        /// The project it belongs to.
        #[cfg_attr(feature = "openapi", schema(required))]
        project_id: Option<ProjectId>,
        /// The id of the account that submitted the job. Where `project_id` is null, the job belongs to this account.
        submitted_by: AccountId,
        /// What is to be done.
        #[serde(flatten)]
        work: Work,
        /// How often it may be tried.
        max_attempts: u32,
    },
    /// A worker took up an attempt.
    JobStarted {
        /// The attempt, counted from 1.
        attempt: u32,
        /// The id of the worker that runs the attempt. A worker process draws another id each time it starts.
        worker_id: Uuid,
    },
    /// The work was done.
    JobSucceeded {
        /// The number of the attempt that succeeded, counted from 1.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// An attempt failed.
    JobAttemptFailed {
        /// The number of the attempt that failed, counted from 1.
        attempt: u32,
        /// Why the attempt failed: the program failed or hit a limit, or the attempt was interrupted.
        failure: AttemptFailure,
        /// When the next attempt is due; none when this was the last.
        #[serde(with = "time::serde::rfc3339::option")]
        #[cfg_attr(feature = "openapi", schema(required))]
        retry_at: Option<OffsetDateTime>,
    },
    /// The job was given up.
    JobDeadLettered {
        /// The last attempt.
        attempt: u32,
    },
    /// The job was ended before it was done; nothing follows.
    JobCancelled {
        /// Why the job was ended: at present always because its project was deleted.
        reason: CancelReason,
    },
}

/// Why a job was ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobCancelReason))]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its project was deleted.
    ProjectDeleted,
}

domain_event!(JobEvent {
    JobRequested => "1",
    JobStarted => "1",
    JobSucceeded => "1",
    JobAttemptFailed => "1",
    JobDeadLettered => "1",
    JobCancelled => "1",
});
