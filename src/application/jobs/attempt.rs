//! What becomes of a job's attempts. Each of these is fenced by the job's expected sequence: of two workers that report
//! on one attempt, one wins and the other is refused.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{Job, JobCommand, JobState, Outcome},
};

use crate::application::{Command, Error, Unit};

async fn decide(unit: &mut Unit<'_>, job_id: JobId, command: JobCommand) -> Result<JobState, Error> {
    let job = unit.read::<Job>(job_id).await?;
    let job = unit.decide(&job, command)?;
    Ok(job.state.requested()?.clone())
}

/// Take up an attempt.
#[derive(Clone, Copy, Debug)]
pub struct StartAttempt {
    /// The job to work on; the start is refused unless the job is pending.
    pub job_id: JobId,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Who takes it up.
    pub worker_id: Uuid,
}

impl Command for StartAttempt {
    type Reply = JobState;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<JobState, Error> {
        decide(unit, self.job_id, JobCommand::Start { attempt: self.attempt, worker_id: self.worker_id }).await
    }
}

/// Report how an attempt's work ended.
#[derive(Clone, Copy, Debug)]
pub struct FinishAttempt {
    /// The job whose attempt ended with an outcome.
    pub job_id: JobId,
    /// The attempt that ended; refused unless it is the one that runs.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When to try again, should it have failed and attempts be left.
    pub retry_at: OffsetDateTime,
}

impl Command for FinishAttempt {
    type Reply = JobState;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<JobState, Error> {
        let Self { job_id, attempt, outcome, retry_at } = *self;
        decide(unit, job_id, JobCommand::Finish { attempt, outcome, retry_at }).await
    }
}

/// Report that an attempt ended without an outcome.
#[derive(Clone, Copy, Debug)]
pub struct InterruptAttempt {
    /// The job whose worker was lost, or could not run it.
    pub job_id: JobId,
    /// The attempt that ended; refused unless it is the one that runs.
    pub attempt: u32,
    /// When to try again.
    pub retry_at: OffsetDateTime,
}

impl Command for InterruptAttempt {
    type Reply = JobState;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<JobState, Error> {
        let Self { job_id, attempt, retry_at } = *self;
        decide(unit, job_id, JobCommand::Interrupt { attempt, retry_at }).await
    }
}
