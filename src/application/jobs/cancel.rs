//! End a job that is not over.

use sqlx::PgConnection;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{CancelReason, Job, JobCommand},
};

use crate::application::{Command, Error, TableChange, Unit};

/// End a job that is not over; of one that is over, nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct CancelJob {
    /// The job.
    pub job_id: JobId,
    /// Why.
    pub reason: CancelReason,
}

impl Command for CancelJob {
    type Reply = ();

    fn contended(&self) -> Option<Uuid> {
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
    /// The job.
    pub job_id: JobId,
}

impl TableChange for RevokeLease {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        // The claim of nobody on an attempt that nobody will come to.
        sqlx::query(
            "INSERT INTO job_leases (job_id, attempt, worker_id, expires_at) VALUES ($1, $2, $3, now())
             ON CONFLICT (job_id) DO UPDATE
                 SET (attempt, worker_id, expires_at) = (excluded.attempt, excluded.worker_id, excluded.expires_at)",
        )
        .bind(Uuid::from(self.job_id))
        .bind(i32::MAX)
        .bind(Uuid::nil())
        .execute(connection)
        .await?;
        Ok(())
    }
}
