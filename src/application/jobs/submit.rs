//! Ask for work to be done.

use std::time::Duration;

use workroom_domain::{
    access::Action,
    account::Account,
    ids::{AccountId, JobId, ProjectId},
    job::{Job, JobCommand, Work},
};

use crate::application::codes::NO_SANDBOX;
use crate::application::{Command, Error, Unit};

/// Ask for work to be done.
#[derive(Clone, Debug)]
pub struct SubmitJob {
    /// The new job's id.
    pub job_id: JobId,
    /// The project it is to belong to; without one it belongs to the caller alone.
    pub project_id: Option<ProjectId>,
    /// What is to be done.
    pub work: Work,
    /// Whether there is anybody who could do it.
    pub can_be_run: bool,
}

/// A job was submitted.
#[derive(Clone, Debug)]
pub struct SubmittedJob {
    /// The new job's id, as the command gave it.
    pub job_id: JobId,
    /// Who submitted it.
    pub submitted_by: AccountId,
    /// Sequence of its last event.
    pub version: i64,
}

impl Command for SubmitJob {
    type Reply = SubmittedJob;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<SubmittedJob, Error> {
        let submitted_by = unit.context().account()?;
        if !self.can_be_run {
            return Err(Error::later(NO_SANDBOX, Duration::from_mins(1)));
        }
        if let Some(project_id) = self.project_id {
            unit.authorize(project_id, Action::RunJobs).await?;
        } else {
            unit.read::<Account>(submitted_by).await?.state.active()?;
        }
        let request =
            JobCommand::Request { project_id: self.project_id, submitted_by, work: self.work.clone(), max_attempts: 1 };
        let job = unit.decide::<Job>(&Unit::new_aggregate(self.job_id), request)?;
        Ok(SubmittedJob { job_id: self.job_id, submitted_by, version: job.sequence })
    }
}
