//! Why a job may say no.

use super::JobStatus;
use crate::refusal::{self, Code, Refusal};

crate::codes! {
    JOB_OVER = "job-over", Conflict,
        "the job has completed or failed",
        "nothing is left to cancel; read the job for its result";
    JOB_NOT_OVER = "job-not-over", Conflict,
        "the job waits or runs",
        "wait until it is over, or cancel it, and then try again";
    JOB_COMPLETED = "job-completed", Conflict,
        "the job has completed",
        "submit a new job to do the same again";
    JOB_INPUT_GONE = "job-input-gone", Conflict,
        "what the job works on is no longer kept: it was redacted, or deleted by age",
        "submit a new job, with what it is to work on";
}

/// Why a job may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobRefusal {
    /// There is no such job.
    #[error("there is no such job")]
    Absent,
    /// The id is taken.
    #[error("the job exists already")]
    AlreadyRequested,
    /// The job is not waiting for this attempt: another worker has it, or it is over.
    #[error("attempt {attempt} cannot start: the job is {} after attempt {current}", status.as_str())]
    NotWaiting {
        /// The attempt that was to start.
        attempt: u32,
        /// The job's status.
        status: JobStatus,
        /// The job's latest attempt.
        current: u32,
    },
    /// The attempt is not the one that runs.
    #[error("attempt {attempt} is not running")]
    NotRunning {
        /// The attempt that was reported.
        attempt: u32,
    },
    /// There is nothing left to cancel.
    #[error("the job is over: it is {}", .0.as_str())]
    Over(JobStatus),
    /// What is not over cannot be done again.
    #[error("the job is {}, and can be retried once it has failed or was cancelled", .0.as_str())]
    NotOver(JobStatus),
    /// What is not over cannot be deleted.
    #[error("the job is {}, and can be deleted once it is over", .0.as_str())]
    NotEnded(JobStatus),
    /// What is not over cannot be redacted: its worker would go on with what must be forgotten.
    #[error("the job is {}, and what it says can be redacted once it is over", .0.as_str())]
    NotRedacted(JobStatus),
    /// What was done is not done again.
    #[error("the job has completed, and is not done again")]
    Completed,
    /// What has lost its program, or what its mail says, cannot be done again.
    #[error("what the job works on is no longer kept: it was redacted, or deleted by age")]
    InputGone,
}

impl Refusal for JobRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            // Only workers meet these; to whoever else does, the job is being changed by one.
            Self::AlreadyRequested | Self::NotWaiting { .. } | Self::NotRunning { .. } => refusal::CONTENDED,
            Self::Over(_) => JOB_OVER,
            Self::NotOver(_) | Self::NotEnded(_) | Self::NotRedacted(_) => JOB_NOT_OVER,
            Self::Completed => JOB_COMPLETED,
            Self::InputGone => JOB_INPUT_GONE,
        }
    }
}
