//! Delete a job that is over, with all that is kept of it outside the log.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{ids::JobId, job::JobCommand};

use super::authorize_to_end;
use crate::application::{Change, Command, Error, IfVersion, TableChange, Unit};

/// Delete a job that is over.
#[derive(Clone, Debug)]
pub struct DeleteJob {
    /// The job to delete.
    pub job_id: JobId,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteJob {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.job_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let job = authorize_to_end(unit, self.job_id).await?;
        self.if_version.check(job.sequence)?;
        Ok(unit.decide(&job, JobCommand::Delete)?.sequence)
    }
}

/// Deletes what a job worked on, what it printed and what it left, with the event that tells of it. What a worker stores
/// of it later, the cleanup finds.
#[derive(Clone, Copy, Debug)]
pub struct DeleteJobData(pub JobId);

#[derive(Serialize)]
struct Arguments {
    job_id: Uuid,
}

impl TableChange for DeleteJobData {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let arguments = Arguments { job_id: self.0.into() };
        // One statement: what is counted of the owner is locked behind the rows that are counted, as everywhere.
        let delete = "WITH inputs AS (DELETE FROM job_inputs WHERE job_id = ($1->>'job_id')::uuid),
                 pieces AS (DELETE FROM job_output_pieces WHERE job_id = ($1->>'job_id')::uuid),
                 progress AS (DELETE FROM job_progress WHERE job_id = ($1->>'job_id')::uuid)
            DELETE FROM job_artifacts WHERE job_id = ($1->>'job_id')::uuid";
        Ok(vec![Change::new(delete, &arguments)?])
    }
}
