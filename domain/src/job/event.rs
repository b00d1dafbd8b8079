//! What can have happened to a job.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Key, MaxAttempts, Outcome, Priority, Work};
use crate::{
    event::domain_event,
    ids::{AccountId, OrganizationId, ProjectId, ScheduleId},
    redaction::PayloadRedacted,
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobRequest))]
pub struct Request {
    /// The project it belongs to.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub project_id: Option<ProjectId>,
    /// The organization that the project lives in. Organizations share the workers among them.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub organization_id: Option<OrganizationId>,
    /// The id of the account that submitted the job. Where `project_id` is null, the job belongs to this account.
    pub submitted_by: AccountId,
    /// What is to be done.
    #[serde(flatten)]
    pub work: Work,
    /// How often it may be tried.
    pub max_attempts: MaxAttempts,
    /// How urgent it is among the jobs of its organization.
    pub priority: Priority,
    /// When it is to be done; at once when there is no time.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub run_at: Option<OffsetDateTime>,
    /// Of the jobs of a project (or account) with the same key one runs at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key: Option<Key>,
    /// Jobs with different ones take turns, within their organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub fairness_key: Option<Key>,
    /// The id of the schedule that submitted it, in the name of that account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub schedule_id: Option<ScheduleId>,
}

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
    /// The worker died, or could not run the program. Events of version 1 only; since then it is `JobInterrupted`.
    Interrupted,
}

/// What interrupts an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobInterruption))]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// Its worker was told to stop.
    WorkerStopped,
    /// Its worker died, or was out of reach for too long.
    WorkerLost,
    /// Its worker could not do it.
    WorkerFailed,
}

impl Interruption {
    /// Whether the job itself may be why.
    pub fn is_suspicious(self) -> bool {
        match self {
            Self::WorkerStopped => false,
            Self::WorkerLost | Self::WorkerFailed => true,
        }
    }
}

/// What can have happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum JobEvent {
    /// The work was asked for.
    JobRequested(Box<Request>),
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
        /// Why the attempt failed.
        failure: AttemptFailure,
        /// When the next attempt is due; none when this was the last.
        #[serde(with = "time::serde::rfc3339::option")]
        #[cfg_attr(feature = "openapi", schema(required))]
        retry_at: Option<OffsetDateTime>,
    },
    /// An attempt ended without an outcome. It does not count against `max_attempts`.
    JobInterrupted {
        /// The number of the attempt that was interrupted, counted from 1.
        attempt: u32,
        /// What interrupted it.
        cause: Interruption,
        /// How many attempts of the job count for nothing so far: they were interrupted, or came too early.
        uncounted: u32,
        /// When the next attempt is due; none when this was the last.
        #[serde(with = "time::serde::rfc3339::option")]
        #[cfg_attr(feature = "openapi", schema(required))]
        retry_at: Option<OffsetDateTime>,
    },
    /// An attempt found that it came too early. It does not count against `max_attempts`.
    JobSnoozed {
        /// The number of the attempt that put the work off, counted from 1.
        attempt: u32,
        /// How many attempts of the job count for nothing so far: they were interrupted, or came too early.
        uncounted: u32,
        /// When the next attempt is due.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// The job was given up.
    JobDeadLettered {
        /// The last attempt.
        attempt: u32,
    },
    /// The job was ended before it was done.
    JobCancelled {
        /// Why the job was ended.
        reason: CancelReason,
    },
    /// The job, which was given up or cancelled, is to be done again, with as many attempts as at first.
    JobRedriven {},
    /// The job, which was over, was deleted, with all that it had worked on, printed and left.
    JobDeleted {},
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

/// Why a job was ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobCancelReason))]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its project was deleted.
    ProjectDeleted,
    /// Somebody asked for it.
    Requested,
    /// A later job with the same key takes its place.
    Superseded,
    /// Its account was erased, and it belonged to no project, or what the account had written was redacted.
    AccountErased,
    /// It belonged to no project, and its account was deactivated.
    AccountDeactivated,
}

domain_event!(JobEvent {
    JobRequested => "2",
    JobStarted => "1",
    JobSucceeded => "1",
    JobAttemptFailed => "2",
    JobInterrupted => "1",
    JobSnoozed => "1",
    JobDeadLettered => "1",
    JobCancelled => "1",
    JobRedriven => "1",
    JobDeleted => "1",
    PayloadRedacted => "1",
});
