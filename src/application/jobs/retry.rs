//! Do again what was given up or cancelled, unless what it works on is gone: that it was redacted, the job knows; that it
//! was deleted by age, the append itself finds. Whoever deletes by age leaves what was kept anew meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{JobId, OrganizationId, ProjectId},
    job::{Job, JobCommand, JobRefusal},
};

use super::{ChangedJob, OpenJobs, authorize};
use crate::application::{Change, Command, Error, TableChange, Unit};

/// Do again what was given up or cancelled, as somebody asks. It is its own change of tables: what the job works on is kept
/// for as long again.
#[derive(Debug)]
pub struct RetryJob {
    job_id: JobId,
    open: OpenJobs,
    /// Whether the job works on something outside the log, as the last attempt has read.
    has_input: AtomicBool,
}

impl RetryJob {
    /// Of this job, as far as so many may wait or run.
    pub fn new(job_id: JobId, open: OpenJobs) -> Self {
        Self { job_id, open, has_input: AtomicBool::new(false) }
    }
}

impl Command for RetryJob {
    type Reply = ChangedJob;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.job_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<ChangedJob, Error> {
        let job = authorize(unit, self.job_id, Action::RunJobs).await?;
        let request = job.state.requested()?.request.clone();
        self.has_input.store(request.work.input().is_some(), Ordering::Relaxed);
        let (project, organization) =
            (request.project_id.map(ProjectId::uuid), request.organization_id.map(OrganizationId::uuid));
        let job = unit.decide::<Job>(&job, JobCommand::Redrive)?;
        self.open.admit(unit, request.submitted_by.uuid(), project, organization).await?;
        ChangedJob::of(&job)
    }
}

#[derive(Serialize)]
struct Arguments {
    job_id: Uuid,
}

impl TableChange for RetryJob {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = Arguments { job_id: self.job_id.into() };
        let keep = "UPDATE job_inputs SET created_at = now() WHERE job_id = ($1->>'job_id')::uuid";
        Ok(vec![Change::new(keep, &arguments)?.or(|| JobRefusal::InputGone.into())])
    }

    fn is_empty(&self) -> bool {
        !self.has_input.load(Ordering::Relaxed)
    }
}
