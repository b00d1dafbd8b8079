//! The state of a job, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AttemptFailure, JobCommand, JobEvent, JobRefusal, Work};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::{AccountId, ProjectId},
};

/// How often a job may lose its worker before it is given up, whatever its own number of attempts: a program that
/// takes its worker down with it must not do so for ever.
pub const MAX_INTERRUPTIONS: u32 = 3;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// A worker has it.
    Running,
    /// An attempt succeeded: its program exited with code 0 and hit no limit.
    Completed,
    /// The job was given up: its last attempt failed, or it was interrupted [`MAX_INTERRUPTIONS`] times.
    Failed,
    /// Ended before it was done.
    Cancelled,
}

impl JobStatus {
    /// The status as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A job; `None` inside until it is requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job(Option<JobState>);

/// What is known of a requested job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobState {
    /// The project it belongs to.
    pub project_id: Option<ProjectId>,
    /// Who asked for it.
    pub submitted_by: AccountId,
    /// What is to be done.
    pub work: Work,
    /// How often it may be tried.
    pub max_attempts: u32,
    /// Where it stands.
    pub status: JobStatus,
    /// The latest attempt, 0 before the first.
    pub attempt: u32,
    /// How many attempts ended without an outcome.
    pub interruptions: u32,
}

impl Job {
    /// The state of a requested job.
    ///
    /// # Errors
    /// [`JobRefusal::Absent`] before it is requested.
    pub fn requested(&self) -> Result<&JobState, JobRefusal> {
        self.0.as_ref().ok_or(JobRefusal::Absent)
    }
}

impl JobState {
    fn running(&self, attempt: u32) -> Result<(), JobRefusal> {
        if self.status == JobStatus::Running && self.attempt == attempt {
            Ok(())
        } else {
            Err(JobRefusal::NotRunning { attempt })
        }
    }

    /// Attempts that count against `max_attempts`: interruptions are not the program's fault.
    fn program_attempts(&self) -> u32 {
        self.attempt.saturating_sub(self.interruptions)
    }
}

fn failed(attempt: u32, failure: AttemptFailure, retry_at: time::OffsetDateTime, is_last: bool) -> Vec<JobEvent> {
    let retry_at = (!is_last).then_some(retry_at);
    let mut events = vec![JobEvent::JobAttemptFailed { attempt, failure, retry_at }];
    if is_last {
        events.push(JobEvent::JobDeadLettered { attempt });
    }
    events
}

impl Decide for Job {
    const TYPE: &'static str = "job";
    const SHAPE: u32 = 1;
    type Command = JobCommand;
    type Event = JobEvent;
    type Refusal = JobRefusal;

    fn decide(&self, command: JobCommand) -> Result<Vec<JobEvent>, JobRefusal> {
        match command {
            JobCommand::Request { project_id, submitted_by, work, max_attempts } => match self.0 {
                None => Ok(vec![JobEvent::JobRequested { project_id, submitted_by, work, max_attempts }]),
                Some(_) => Err(JobRefusal::AlreadyRequested),
            },
            JobCommand::Start { attempt, worker_id } => {
                let job = self.requested()?;
                if job.status != JobStatus::Pending || attempt != job.attempt + 1 {
                    return Err(JobRefusal::NotWaiting { attempt, status: job.status, current: job.attempt });
                }
                Ok(vec![JobEvent::JobStarted { attempt, worker_id }])
            }
            JobCommand::Finish { attempt, outcome, retry_at } => {
                let job = self.requested()?;
                job.running(attempt)?;
                if outcome.is_success() {
                    return Ok(vec![JobEvent::JobSucceeded { attempt, outcome }]);
                }
                let is_last = job.program_attempts() >= job.max_attempts;
                Ok(failed(attempt, AttemptFailure::Program { outcome }, retry_at, is_last))
            }
            JobCommand::Cancel { reason } => {
                let is_open = matches!(self.requested()?.status, JobStatus::Pending | JobStatus::Running);
                Ok(if is_open { vec![JobEvent::JobCancelled { reason }] } else { vec![] })
            }
            JobCommand::Interrupt { attempt, retry_at } => {
                let job = self.requested()?;
                job.running(attempt)?;
                let is_last = job.interruptions + 1 >= MAX_INTERRUPTIONS;
                Ok(failed(attempt, AttemptFailure::Interrupted, retry_at, is_last))
            }
        }
    }

    fn evolve(&mut self, event: &JobEvent) {
        if let JobEvent::JobRequested { project_id, submitted_by, work, max_attempts } = event {
            self.0 = Some(JobState {
                project_id: *project_id,
                submitted_by: *submitted_by,
                work: work.clone(),
                max_attempts: *max_attempts,
                status: JobStatus::Pending,
                attempt: 0,
                interruptions: 0,
            });
            return;
        }
        let Some(job) = &mut self.0 else { return };
        match event {
            JobEvent::JobRequested { .. } => {}
            JobEvent::JobStarted { attempt, .. } => {
                job.status = JobStatus::Running;
                job.attempt = *attempt;
            }
            JobEvent::JobSucceeded { .. } => job.status = JobStatus::Completed,
            JobEvent::JobAttemptFailed { failure, .. } => {
                job.status = JobStatus::Pending;
                job.interruptions += u32::from(*failure == AttemptFailure::Interrupted);
            }
            JobEvent::JobDeadLettered { .. } => job.status = JobStatus::Failed,
            JobEvent::JobCancelled { .. } => job.status = JobStatus::Cancelled,
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match &self.0 {
            Some(JobState { project_id: Some(project_id), .. }) => project_id.0,
            Some(JobState { submitted_by, .. }) => submitted_by.0,
            None => id,
        }
    }

    fn weight(&self) -> usize {
        let Some(JobState { work: Work::CodeExecution { code, stdin, .. }, .. }) = &self.0 else { return 0 };
        code.as_str().len() + stdin.as_ref().map_or(0, |stdin| stdin.as_str().len())
    }
}

cqrs_aggregate!(Job);
