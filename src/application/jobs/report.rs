//! What becomes of jobs' attempts, many at a time. Each is fenced by its job's expected sequence: of two workers that report on
//! one attempt, one wins and the other is refused.

use futures::future::join_all;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{Interruption, Job, JobCommand, JobState, Outcome},
};

use super::key::check_grant;
use crate::application::{App, Command, Context, Error, Unit};

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A worker takes it up.
    Started {
        /// The id of the worker.
        worker_id: Uuid,
    },
    /// Its work is done.
    Succeeded {
        /// How it ended.
        outcome: Outcome,
    },
    /// It failed.
    Failed {
        /// How it ended.
        outcome: Outcome,
        /// When to try again, should attempts be left; none where another would end the same.
        retry_at: Option<OffsetDateTime>,
    },
    /// It came too early.
    Snoozed {
        /// When to try again.
        until: OffsetDateTime,
    },
    /// It ended without an outcome.
    Interrupted {
        /// What interrupted it.
        cause: Interruption,
        /// When to try again.
        retry_at: OffsetDateTime,
    },
}

/// What becomes of an attempt of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The job.
    pub job_id: JobId,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// What becomes of it.
    pub progress: Progress,
}

impl Report {
    fn command(&self) -> JobCommand {
        let attempt = self.attempt;
        match self.progress {
            Progress::Started { worker_id } => JobCommand::Start { attempt, worker_id },
            Progress::Succeeded { outcome } => JobCommand::Succeed { attempt, outcome },
            Progress::Failed { outcome, retry_at } => JobCommand::Fail { attempt, outcome, retry_at },
            Progress::Snoozed { until } => JobCommand::Snooze { attempt, until },
            Progress::Interrupted { cause, retry_at } => JobCommand::Interrupt { attempt, cause, retry_at },
        }
    }
}

/// Record what becomes of attempts: together, but each is accepted or refused by itself.
#[derive(Clone, Copy, Debug)]
pub struct RecordAttempts<'a>(pub &'a [Report]);

impl Command for RecordAttempts<'_> {
    type Reply = Vec<Result<JobState, Error>>;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Self::Reply, Error> {
        let mut decided = Vec::with_capacity(self.0.len());
        for report in self.0 {
            decided.push(match record(unit, report).await {
                Err(error) if !error.depends_on_state() => return Err(error),
                outcome => outcome,
            });
        }
        Ok(decided)
    }
}

async fn record(unit: &mut Unit<'_>, report: &Report) -> Result<JobState, Error> {
    let job = unit.read::<Job>(report.job_id).await?;
    if let Progress::Started { .. } = report.progress {
        check_grant(unit, report.job_id, job.state.requested()?, report.attempt).await?;
    }
    let job = unit.decide(&job, report.command())?;
    Ok(job.state.requested()?.clone())
}

impl App {
    /// Records what becomes of attempts of different jobs; returns once that is committed, whether or not the views show it.
    ///
    /// # Errors
    /// See [`Error`]: nothing of it was committed. What the domain says about each is in the reply.
    pub async fn record_attempts(
        &self,
        context: &Context,
        reports: &[Report],
    ) -> Result<Vec<Result<JobState, Error>>, Error> {
        // All at once: one after the other, what this process has not read yet would cost a round trip each.
        join_all(reports.iter().map(|report| self.log.latest::<Job>(report.job_id.into()))).await;
        self.run_unseen(context, &RecordAttempts(reports)).await
    }
}
