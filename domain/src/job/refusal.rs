//! Why a job may say no.

use super::JobStatus;

/// Why a job may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobRefusal {
    /// There is no such job.
    #[error("the job does not exist")]
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
}
