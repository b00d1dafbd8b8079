//! Keys of jobs: of those with the same key one runs at a time, and one may be the only one for a while.

use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, JobId, ProjectId},
    job::{Job, JobRefusal, JobState, JobStatus, Request},
    job_key::{Grant, JobKey, JobKeyCommand},
};

use crate::application::{App, Command, Context, Error, Unit};

/// The id of a key of a project, or of an account.
pub fn key_id(scope: Uuid, key: &str) -> Uuid {
    Uuid::new_v5(&scope, key.as_bytes())
}

/// The project that a job's key belongs to; without one it belongs to the account that submits the job.
pub(super) fn key_project(job_type: &str, project_id: Option<ProjectId>) -> Option<ProjectId> {
    // Of an account one job controls others at a time, in whatever projects these are.
    project_id.filter(|_| job_type != "job_control")
}

/// The id of a key that a job of this type has.
pub fn key_of(job_type: &str, project_id: Option<ProjectId>, account_id: AccountId, key: &str) -> Uuid {
    let scope = key_project(job_type, project_id).map_or_else(|| account_id.uuid(), ProjectId::uuid);
    key_id(scope, key)
}

/// The id of the key that a job has.
fn key_of_request(request: &Request) -> Option<Uuid> {
    let Request { project_id, submitted_by, .. } = *request;
    let key = request.key.as_ref()?;
    Some(key_of(request.work.job_type(), project_id, submitted_by, key.as_str()))
}

/// Whether an attempt that was granted its key runs. One that has not started may lose it again: its start is refused then, and it
/// is handed out once more.
fn holds(job: &JobState, attempt: u32) -> bool {
    job.status == JobStatus::Running && job.attempt == attempt
}

/// Insists that an attempt of a job has the job's key, if the job has one.
///
/// # Errors
/// [`JobRefusal::NotWaiting`]: another attempt has it.
pub(super) async fn check_grant(unit: &mut Unit<'_>, job_id: JobId, job: &JobState, attempt: u32) -> Result<(), Error> {
    let Some(key_id) = key_of_request(&job.request) else { return Ok(()) };
    let key = unit.read::<JobKey>(key_id).await?;
    if key.state.grant() == Some(Grant { job_id, attempt }) {
        return Ok(());
    }
    Err(JobRefusal::NotWaiting { attempt, status: job.status, current: job.attempt }.into())
}

/// Let an attempt of a job have the job's key.
#[derive(Clone, Copy, Debug)]
pub struct GrantKey {
    /// The job.
    pub job_id: JobId,
    /// The attempt that is to start.
    pub attempt: u32,
}

impl Command for GrantKey {
    type Reply = ();

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let Self { job_id, attempt } = *self;
        let job = unit.read::<Job>(job_id).await?;
        let job = job.state.requested()?;
        if job.status != JobStatus::Pending || job.attempt + 1 != attempt {
            return Err(JobRefusal::NotWaiting { attempt, status: job.status, current: job.attempt }.into());
        }
        let Some(key_id) = key_of_request(&job.request) else { return Ok(()) };
        let key = unit.read::<JobKey>(key_id).await?;
        let is_free = match key.state.grant() {
            None => true,
            Some(Grant { job_id, attempt }) => !holds(unit.read::<Job>(job_id).await?.state.requested()?, attempt),
        };
        let Request { project_id, submitted_by: account_id, work, .. } = &*job.request;
        let (project_id, account_id) = (key_project(work.job_type(), *project_id), *account_id);
        let grant = Grant { job_id, attempt };
        unit.decide(&key, JobKeyCommand::Grant { project_id, account_id, grant, is_free })?;
        Ok(())
    }
}

impl App {
    /// Lets an attempt have its job's key; returns once that is committed.
    ///
    /// # Errors
    /// `Kind::Conflict` while another attempt has it, or when this one is not to start.
    pub async fn grant_key(&self, context: &Context, grant: &GrantKey) -> Result<(), Error> {
        self.run_unseen(context, grant).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_job_that_controls_others_is_the_accounts_in_every_project() {
        let account = AccountId(Uuid::from_u128(1));
        let project = ProjectId(Uuid::from_u128(2));
        let of = |job_type, project_id| key_of(job_type, project_id, account, "k");
        for project_id in [None, Some(project)] {
            assert_eq!(of("job_control", project_id), key_id(account.uuid(), "k"));
        }
        assert_eq!(of("noop", None), key_id(account.uuid(), "k"));
        assert_eq!(of("noop", Some(project)), key_id(project.uuid(), "k"));
    }
}
