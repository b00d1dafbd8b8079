//! End a job that belongs to no project when its account was closed.

use uuid::Uuid;
use workroom_domain::{
    account::{Account, AccountRefusal},
    ids::JobId,
    job::{CancelReason, Job, JobCommand},
};

use crate::application::{Command, Error, Unit};

/// End a job without a project that waits or runs, if its account was erased or is deactivated. Nothing is said of
/// others: the account may be open again.
#[derive(Clone, Copy, Debug)]
pub struct EndOwnJob {
    /// The job to end.
    pub job_id: JobId,
}

impl Command for EndOwnJob {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.job_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let job = unit.read::<Job>(self.job_id).await?;
        let request = &job.state.requested()?.request;
        if request.project_id.is_some() {
            return Ok(());
        }
        let reason = match unit.read::<Account>(request.submitted_by).await?.state.active() {
            Err(AccountRefusal::Erased) => CancelReason::AccountErased,
            Err(AccountRefusal::Deactivated) => CancelReason::AccountDeactivated,
            Ok(()) | Err(AccountRefusal::Absent | AccountRefusal::AlreadyRegistered) => return Ok(()),
        };
        unit.decide(&job, JobCommand::Cancel { reason })?;
        Ok(())
    }
}
