//! The state of a job, and its two functions.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AttemptFailure, InlineProgram, JobCommand, JobEvent, JobRefusal, Request, Source, Work};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    redaction::{Texts, redactable},
};

/// How often in a row a job may be interrupted in a way that may be its own doing before it is given up: a program that takes its
/// worker down with it must not do so for ever.
pub const MAX_SUSPICIONS: u32 = 10;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventJobStatus))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// A worker has it.
    Running,
    /// An attempt succeeded: a program exited with code 0 and hit no limit.
    Completed,
    /// The job was given up: its last attempt failed, or it was interrupted [`MAX_SUSPICIONS`] times in a row.
    Failed,
    /// Ended before it was done.
    Cancelled,
    /// Over, and gone: nobody is shown it any more.
    Deleted,
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
            Self::Deleted => "deleted",
        }
    }
}

/// A job; `None` inside until it is requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job(Option<JobState>);

/// What is known of a requested job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobState {
    /// What was asked for.
    pub request: Box<Request>,
    /// Where it stands.
    pub status: JobStatus,
    /// The latest attempt, 0 before the first.
    pub attempt: u32,
    /// Who took it up.
    pub worker_id: Option<Uuid>,
    /// How many attempts failed since it was requested, or redriven last. These count.
    pub failures: u32,
    /// How many interruptions that may be its own doing came in a row.
    pub suspicions: u32,
    /// How many attempts count for nothing: they were interrupted, or came too early.
    pub uncounted: u32,
}

impl Job {
    /// The state of a requested job.
    ///
    /// # Errors
    /// [`JobRefusal::Absent`] before it is requested.
    pub fn requested(&self) -> Result<&JobState, JobRefusal> {
        self.0.as_ref().ok_or(JobRefusal::Absent)
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Some(job) = &self.0 {
            job.request.tell_texts(texts);
        }
    }
}

impl JobState {
    /// The state, if this attempt is the one that runs.
    ///
    /// # Errors
    /// [`JobRefusal::NotRunning`] otherwise.
    pub fn running(&self, attempt: u32) -> Result<&Self, JobRefusal> {
        if self.status == JobStatus::Running && self.attempt == attempt {
            Ok(self)
        } else {
            Err(JobRefusal::NotRunning { attempt })
        }
    }

    /// Whether it waits or runs.
    pub fn is_open(&self) -> bool {
        matches!(self.status, JobStatus::Pending | JobStatus::Running)
    }

    /// A worker that does not know whether its start was committed asks again.
    fn start(&self, attempt: u32, worker_id: Uuid) -> Result<Vec<JobEvent>, JobRefusal> {
        if self.running(attempt).is_ok() && self.worker_id == Some(worker_id) {
            return Ok(vec![]);
        }
        if self.status != JobStatus::Pending || attempt != self.attempt + 1 {
            return Err(JobRefusal::NotWaiting { attempt, status: self.status, current: self.attempt });
        }
        Ok(vec![JobEvent::JobStarted { attempt, worker_id }])
    }

    /// How it ended that an attempt failed or was interrupted: the job waits until `retry_at`, or is given up.
    fn retry(
        &self,
        retry_at: Option<OffsetDateTime>,
        ended: impl FnOnce(Option<OffsetDateTime>) -> JobEvent,
    ) -> Vec<JobEvent> {
        let ended = ended(retry_at);
        match retry_at {
            Some(_) => vec![ended],
            None => vec![ended, JobEvent::JobDeadLettered { attempt: self.attempt }],
        }
    }

    fn redrive(&self) -> Result<JobEvent, JobRefusal> {
        match self.status {
            JobStatus::Failed | JobStatus::Cancelled if self.request.work.is_input_redacted() => {
                Err(JobRefusal::InputGone)
            }
            JobStatus::Failed | JobStatus::Cancelled => Ok(JobEvent::JobRedriven {}),
            JobStatus::Completed => Err(JobRefusal::Completed),
            status @ (JobStatus::Pending | JobStatus::Running) => Err(JobRefusal::NotOver(status)),
            JobStatus::Deleted => Err(JobRefusal::Absent),
        }
    }

    fn delete(&self) -> Result<JobEvent, JobRefusal> {
        match self.status {
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => Ok(JobEvent::JobDeleted {}),
            status @ (JobStatus::Pending | JobStatus::Running) => Err(JobRefusal::NotEnded(status)),
            JobStatus::Deleted => Err(JobRefusal::Absent),
        }
    }
}

impl Decide for Job {
    const TYPE: &'static str = "job";
    const SHAPE: u32 = 2;
    type Command = JobCommand;
    type Event = JobEvent;
    type Refusal = JobRefusal;

    fn decide(&self, command: JobCommand) -> Result<Vec<JobEvent>, JobRefusal> {
        match command {
            JobCommand::Request(request) => match self.0 {
                None => Ok(vec![JobEvent::JobRequested(request)]),
                Some(_) => Err(JobRefusal::AlreadyRequested),
            },
            JobCommand::Start { attempt, worker_id } => self.requested()?.start(attempt, worker_id),
            JobCommand::Succeed { attempt, outcome } => {
                self.requested()?.running(attempt)?;
                Ok(vec![JobEvent::JobSucceeded { attempt, outcome }])
            }
            JobCommand::Fail { attempt, outcome, retry_at } => {
                let job = self.requested()?.running(attempt)?;
                let retry_at = retry_at.filter(|_| job.failures + 1 < job.request.max_attempts.number());
                let failure = AttemptFailure::Program { outcome };
                Ok(job.retry(retry_at, |retry_at| JobEvent::JobAttemptFailed { attempt, failure, retry_at }))
            }
            JobCommand::Snooze { attempt, until } => {
                let job = self.requested()?.running(attempt)?;
                Ok(vec![JobEvent::JobSnoozed { attempt, uncounted: job.uncounted + 1, until }])
            }
            JobCommand::Interrupt { attempt, cause, retry_at } => {
                let job = self.requested()?.running(attempt)?;
                let is_last = cause.is_suspicious() && job.suspicions + 1 >= MAX_SUSPICIONS;
                let retry_at = (!is_last).then_some(retry_at);
                let uncounted = job.uncounted + 1;
                Ok(job.retry(retry_at, |retry_at| JobEvent::JobInterrupted { attempt, cause, uncounted, retry_at }))
            }
            JobCommand::Cancel { reason } => {
                Ok(if self.requested()?.is_open() { vec![JobEvent::JobCancelled { reason }] } else { vec![] })
            }
            JobCommand::Redrive => Ok(vec![self.requested()?.redrive()?]),
            JobCommand::Delete => Ok(vec![self.requested()?.delete()?]),
        }
    }

    fn evolve(&mut self, event: &JobEvent) {
        if let JobEvent::JobRequested(request) = event {
            let (status, request) = (JobStatus::Pending, request.clone());
            let (attempt, worker_id, failures, suspicions, uncounted) = (0, None, 0, 0, 0);
            self.0 = Some(JobState { request, status, attempt, worker_id, failures, suspicions, uncounted });
            return;
        }
        let Some(job) = &mut self.0 else { return };
        match event {
            JobEvent::JobRequested(_) => {}
            JobEvent::JobStarted { attempt, worker_id } => {
                job.status = JobStatus::Running;
                job.attempt = *attempt;
                job.worker_id = Some(*worker_id);
            }
            JobEvent::JobSucceeded { .. } => job.status = JobStatus::Completed,
            JobEvent::JobAttemptFailed { failure, .. } => {
                job.status = JobStatus::Pending;
                match failure {
                    AttemptFailure::Program { .. } => {
                        job.failures += 1;
                        job.suspicions = 0;
                    }
                    AttemptFailure::Interrupted => {
                        job.suspicions += 1;
                        job.uncounted += 1;
                    }
                }
            }
            JobEvent::JobInterrupted { cause, uncounted, .. } => {
                job.status = JobStatus::Pending;
                job.uncounted = *uncounted;
                job.suspicions += u32::from(cause.is_suspicious());
            }
            JobEvent::JobSnoozed { uncounted, .. } => {
                job.status = JobStatus::Pending;
                job.uncounted = *uncounted;
                job.suspicions = 0;
            }
            JobEvent::JobDeadLettered { .. } => job.status = JobStatus::Failed,
            JobEvent::JobCancelled { .. } => job.status = JobStatus::Cancelled,
            JobEvent::JobRedriven {} => {
                job.status = JobStatus::Pending;
                (job.failures, job.suspicions) = (0, 0);
            }
            JobEvent::JobDeleted {} => job.status = JobStatus::Deleted,
            JobEvent::PayloadRedacted(redacted) => job.request.redact(redacted),
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match &self.0 {
            Some(JobState { request, .. }) => match (&request.work, request.project_id) {
                // Deliveries must not fill the history that they tell of, nor be delivered themselves.
                (Work::WebhookDelivery { webhook_id, .. }, _) => webhook_id.0,
                (_, Some(project_id)) => project_id.0,
                (_, None) => request.submitted_by.uuid(),
            },
            None => id,
        }
    }

    fn weight(&self) -> usize {
        let Some(JobState { request, .. }) = &self.0 else { return 0 };
        let keys = [&request.key, &request.fairness_key].into_iter().flatten().map(|key| key.as_str().len());
        let source = match &request.work {
            Work::CodeExecution { source: Source::Inline(InlineProgram { code, stdin }), .. } => {
                code.as_str().len() + stdin.as_ref().map_or(0, |stdin| stdin.as_str().len())
            }
            Work::JobControl { filter, .. } => filter.weight(),
            _ => 0,
        };
        keys.sum::<usize>() + source + size_of::<Request>()
    }
}

cqrs_aggregate!(Job);
redactable!(Job, JobEvent);
