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

/// SQL that deletes what is kept of jobs outside the log, for `WITH` to stand before it. One statement: what is counted of their owner
/// is locked behind the rows that are counted, as everywhere. The first condition tells which jobs; a second one, of which jobs the
/// artifacts go, where these are others.
macro_rules! delete_job_data {
    ($jobs:literal) => {
        $crate::application::jobs::delete_job_data!($jobs, $jobs)
    };
    ($jobs:literal, $artifacts:literal) => {
        concat!(
            "inputs AS (DELETE FROM job_inputs WHERE ",
            $jobs,
            "), pieces AS (DELETE FROM job_output_pieces WHERE ",
            $jobs,
            "), progress AS (DELETE FROM job_progress WHERE ",
            $jobs,
            ") DELETE FROM job_artifacts WHERE ",
            $artifacts
        )
    };
}
pub(crate) use delete_job_data;

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
        let delete = concat!("WITH ", delete_job_data!("job_id = ($1->>'job_id')::uuid"));
        Ok(vec![Change::new(delete, &arguments)?])
    }
}
