//! `job_control`: cancels, retries or deletes many jobs, each by the ordinary command.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;
use workroom_domain::{job::Outcome, refusal::Kind};

use super::{Attempt, Broken, Ended, JobType};
use crate::{application::jobs::OpenJobs, clock::now};

/// When to go on, where the database or the views cannot serve.
const PAUSE: Duration = Duration::from_secs(2);

/// Controls other jobs.
pub(super) struct JobControl {
    /// How many jobs may wait: it holds for those that are done again, too.
    pub(super) open: OpenJobs,
}

impl JobType for JobControl {
    fn name(&self) -> &'static str {
        "job_control"
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        self.control(attempt).boxed()
    }
}

impl JobControl {
    async fn control(&self, attempt: Attempt) -> Result<Ended, Broken> {
        let began = Instant::now();
        let (id, request) = ((attempt.job_id, attempt.attempt), &attempt.job.request);
        let progress = |done, all| attempt.tell(done, all, &format!("{done} of {all} jobs"));
        match attempt.app.control_jobs(id, request, &self.open, &attempt.stop, &progress).await {
            Ok(Some(counts)) => {
                let execution_time_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                Ok(Ended::Succeeded(Outcome { execution_time_ms, control: Some(counts), ..Outcome::default() }))
            }
            Ok(None) => Ok(Ended::Stopped),
            Err(error) if error.kind() == Kind::Unavailable => Ok(Ended::Snoozed { until: now() + PAUSE }),
            Err(error) => Err(error.into()),
        }
    }
}
