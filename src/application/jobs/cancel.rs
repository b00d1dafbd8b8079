//! End a job that is not over.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{CancelReason, Job, JobCommand},
};

use crate::application::{Change, Command, Error, TableChange, Unit};

/// End a job that is not over; of one that is over, nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct CancelJob {
    /// The job to end, whether it waits or runs.
    pub job_id: JobId,
    /// The reason that the event `JobCancelled` records.
    pub reason: CancelReason,
}

impl Command for CancelJob {
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

/// Takes a job from whoever runs it: its worker learns that when it renews its claim, and stops the program.
#[derive(Clone, Copy, Debug)]
pub struct RevokeLease {
    /// The job whose row in `job_leases` is given to nobody.
    pub job_id: JobId,
}

#[derive(Serialize)]
struct RevokedLease {
    job_id: Uuid,
    attempt: i32,
    worker_id: Uuid,
}

impl TableChange for RevokeLease {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        // The claim of nobody on an attempt that nobody will come to.
        let nobody = RevokedLease { job_id: self.job_id.into(), attempt: i32::MAX, worker_id: Uuid::nil() };
        let revoke = Change::new(
            "INSERT INTO job_leases (job_id, attempt, worker_id, expires_at)
             SELECT job_id, attempt, worker_id, now()
             FROM jsonb_to_record($1) AS a (job_id uuid, attempt int, worker_id uuid)
             ON CONFLICT (job_id) DO UPDATE
                 SET (attempt, worker_id, expires_at) = (excluded.attempt, excluded.worker_id, excluded.expires_at)",
            &nobody,
        )?;
        Ok(vec![revoke])
    }
}
