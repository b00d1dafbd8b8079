//! End a job that is not over.

use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{CancelReason, Job, JobCommand, JobRefusal, JobStatus},
};

use super::authorize_to_end;
use crate::{
    application::{Command, Error, Unit},
    event_store::Versioned,
};

/// End a job that is not over; of one that is over, nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct EndJob {
    /// The job to end, whether it waits or runs.
    pub job_id: JobId,
    /// The reason that the event `JobCancelled` records.
    pub reason: CancelReason,
}

impl Command for EndJob {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.job_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let job = unit.read::<Job>(self.job_id).await?;
        unit.decide(&job, JobCommand::Cancel { reason: self.reason })?;
        Ok(())
    }
}

/// What was decided about a job.
#[derive(Clone, Copy, Debug)]
pub struct ChangedJob {
    /// Where it stands now.
    pub status: JobStatus,
    /// Sequence of its last event.
    pub version: i64,
}

impl ChangedJob {
    pub(super) fn of(job: &Versioned<Job>) -> Result<Self, Error> {
        Ok(Self { status: job.state.requested()?.status, version: job.sequence })
    }
}

/// Cancel a job, as somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct CancelJob {
    /// The job to cancel, whether it waits or runs.
    pub job_id: JobId,
}

impl Command for CancelJob {
    type Reply = ChangedJob;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.job_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<ChangedJob, Error> {
        let job = authorize_to_end(unit, self.job_id).await?;
        if let status @ (JobStatus::Completed | JobStatus::Failed) = job.state.requested()?.status {
            return Err(JobRefusal::Over(status).into());
        }
        let job = unit.decide(&job, JobCommand::Cancel { reason: CancelReason::Requested })?;
        ChangedJob::of(&job)
    }
}
