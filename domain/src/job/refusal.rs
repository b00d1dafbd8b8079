//! Why a job may say no.

use super::JobStatus;
use crate::refusal::{self, Code, Refusal};

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
}

impl Refusal for JobRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            // Only workers meet the others; to whoever else does, the job is being changed by one.
            Self::AlreadyRequested | Self::NotWaiting { .. } | Self::NotRunning { .. } => refusal::CONTENDED,
        }
    }
}
