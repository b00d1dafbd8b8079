//! Ask for work to be done.

use std::{borrow::Cow, time::Duration};

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    access::{Action, action_to_submit},
    account::Account,
    ids::{AccountId, JobId, OrganizationId, ProjectId, ScheduleId},
    job::{CancelReason, Job, JobCommand, JobStatus, Key, MaxAttempts, Priority, Request, Work},
    job_key::{Claim, JobKey, JobKeyCommand},
    project::Project,
    refusal::Kind,
};
use workroom_projections::jobs::{self, JobRow};

use super::{OpenJobs, key::key_project, key_id, key_of};
use crate::application::codes::{NO_SANDBOX, TOO_MANY_JOBS, VIEWS_BEHIND};
use crate::application::views::{JOBS, caught_up};
use crate::application::{App, Command, Context, Error, Unit};

/// The keys of those exports of which an account has one at a time, by project.
pub(super) const EXPORT_KEYS: &str = "project_export:";

/// Ask for work to be done.
#[derive(Clone, Debug)]
pub struct SubmitJob {
    /// The new job's id.
    pub job_id: JobId,
    /// The project it is to belong to; without one it belongs to the caller alone.
    pub project_id: Option<ProjectId>,
    /// What is to be done.
    pub work: Work,
    /// How often it may be tried.
    pub max_attempts: MaxAttempts,
    /// How urgent it is.
    pub priority: Priority,
    /// When it is to be done, if not at once.
    pub run_at: Option<OffsetDateTime>,
    /// Of the jobs with the same key one runs at a time.
    pub key: Option<Key>,
    /// What becomes of it beside other jobs with the key that were submitted a short time ago.
    pub repeat: Repeat,
    /// Jobs with different ones take turns, within their organization.
    pub fairness_key: Option<Key>,
    /// The schedule that submits it, if one does.
    pub schedule_id: Option<ScheduleId>,
    /// Whether there is anybody who could do it.
    pub can_be_run: bool,
    /// How many may wait or run.
    pub open: OpenJobs,
}

/// What becomes of a job beside another with the same key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Both are done.
    #[default]
    Each,
    /// For so long the earlier one, if it was submitted in the same way, is the only one: the later is not submitted.
    Unique(Duration),
    /// It is done after so long, and takes the place of the earlier one, if that was submitted in the same way and has not begun.
    Debounce(Duration),
}

/// A job was submitted, or had been.
#[derive(Clone, Debug)]
pub struct SubmittedJob {
    /// The new job's id, as the command gave it.
    pub job_id: JobId,
    /// The project it belongs to.
    pub project_id: Option<ProjectId>,
    /// Who submitted it.
    pub submitted_by: AccountId,
    /// Sequence of its last event.
    pub version: i64,
    /// When it is to be done, if not at once.
    pub run_at: Option<OffsetDateTime>,
    /// An earlier job with the same key, in place of this one.
    pub earlier: Option<JobRow>,
}

impl SubmitJob {
    /// Whether there is an earlier job in place of this one, and when this one is to be done; see [`App::context_of`].
    async fn compare(&self, unit: &mut Unit<'_>) -> Result<(Option<JobRow>, Option<OffsetDateTime>), Error> {
        let (Some(key), Some(longest)) = (&self.key, self.repeat.window()) else { return Ok((None, self.run_at)) };
        let (account_id, now) = (unit.context().account()?, unit.context().now);
        let job_type = self.work.job_type();
        let id = key_of(job_type, self.project_id, account_id, key.as_str());
        // Committed, since an earlier job that it tells of is looked up.
        let key = unit.read_committed::<JobKey>(id).await?;
        let mut run_at = self.run_at;
        let mut unique_until = None;
        if let Repeat::Debounce(_) = self.repeat {
            run_at = Some(now + longest);
            self.take_place(unit, key.state.claim()).await?;
        } else {
            if let Some(earlier) = earlier(unit, key.state.unique_claim(), now).await? {
                return Ok((Some(earlier), None));
            }
            unique_until = Some(now + longest);
        }
        let claim = Claim { job_id: self.job_id, unique_until };
        let project_id = key_project(job_type, self.project_id);
        unit.decide(&key, JobKeyCommand::Claim { project_id, account_id, claim })?;
        Ok((None, run_at))
    }

    /// Ends the earlier job if it has not begun.
    async fn take_place(&self, unit: &mut Unit<'_>, earlier: Option<Claim>) -> Result<(), Error> {
        let Some(Claim { job_id, .. }) = earlier else { return Ok(()) };
        let earlier = unit.read::<Job>(job_id).await?;
        let state = earlier.state.requested()?;
        if state.status == JobStatus::Pending && state.attempt == 0 {
            unit.decide(&earlier, JobCommand::Cancel { reason: CancelReason::Superseded })?;
        }
        Ok(())
    }

    /// The organization whose job it is; insists that the caller may submit it there.
    async fn authorize(&self, unit: &mut Unit<'_>, request: &Request) -> Result<Option<OrganizationId>, Error> {
        let Some(project_id) = self.project_id else {
            unit.read::<Account>(unit.context().account()?).await?.state.active()?;
            return Ok(None);
        };
        let admitted = unit.authorize(project_id, Action::RunJobs).await;
        match (admitted, action_to_submit(request)) {
            (Ok(_), _) => {}
            (Err(error), action) if error.kind() == Kind::Forbidden && action != Action::RunJobs => {
                unit.authorize(project_id, action).await?;
                self.claim_export(unit, project_id).await?;
            }
            (Err(error), _) => return Err(error),
        }
        // A project stays in its organization.
        let project = unit.peek::<Project>(project_id).await?;
        Ok(project.state.active().ok().map(|(organization_id, _)| organization_id))
    }

    /// Who may run no jobs has one export of a project at a time: many would keep others from submitting jobs.
    async fn claim_export(&self, unit: &mut Unit<'_>, project_id: ProjectId) -> Result<(), Error> {
        let account_id = unit.context().account()?;
        // A key of the account: it stands in no project's history.
        let key = key_id(account_id.uuid(), &format!("{EXPORT_KEYS}{project_id}"));
        if claim_alone(unit, key, account_id, self.job_id).await? {
            return Ok(());
        }
        Err(Error::later(TOO_MANY_JOBS, Duration::from_secs(5)))
    }

    /// What the log keeps of it, as it was asked for.
    fn request(&self, submitted_by: AccountId) -> Request {
        Request {
            project_id: self.project_id,
            organization_id: None,
            submitted_by,
            work: self.work.clone(),
            max_attempts: self.max_attempts,
            priority: self.priority,
            run_at: self.run_at,
            key: self.key.clone(),
            fairness_key: self.fairness_key.clone(),
            schedule_id: self.schedule_id,
        }
    }
}

impl Command for SubmitJob {
    type Reply = SubmittedJob;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<SubmittedJob, Error> {
        let submitted_by = unit.context().account()?;
        if !self.can_be_run {
            return Err(Error::later(NO_SANDBOX, Duration::from_mins(1)));
        }
        let mut request = self.request(submitted_by);
        let organization_id = self.authorize(unit, &request).await?;
        let (earlier, run_at) = self.compare(unit).await?;
        if let Some(earlier) = earlier {
            let (job_id, version) = (JobId(earlier.id), earlier.version);
            let project_id = self.project_id;
            return Ok(SubmittedJob { job_id, project_id, submitted_by, version, run_at, earlier: Some(earlier) });
        }
        let (project, organization) = (self.project_id.map(ProjectId::uuid), organization_id.map(OrganizationId::uuid));
        self.open.admit(unit, submitted_by.uuid(), project, organization).await?;
        (request.organization_id, request.run_at) = (organization_id, run_at);
        let job = unit.decide::<Job>(&Unit::new_aggregate(self.job_id), JobCommand::Request(Box::new(request)))?;
        let (job_id, project_id, version) = (self.job_id, self.project_id, job.sequence);
        Ok(SubmittedJob { job_id, project_id, submitted_by, version, run_at, earlier: None })
    }
}

impl App {
    /// The context in which a job is submitted. One that is compared with others for a while is compared by the database's clock:
    /// the processes that take such jobs may have different ones.
    ///
    /// # Errors
    /// The database's.
    pub async fn context_of<'a>(&self, context: &'a Context, job: &SubmitJob) -> Result<Cow<'a, Context>, Error> {
        match job.repeat.window() {
            Some(_) => self.by_database_clock(context).await.map(Cow::Owned),
            None => Ok(Cow::Borrowed(context)),
        }
    }
}

impl Repeat {
    fn window(self) -> Option<Duration> {
        match self {
            Self::Each => None,
            Self::Unique(window) | Self::Debounce(window) => Some(window),
        }
    }
}

/// Claims a key of an account for a job, unless the job that has claimed it waits or runs. Tells whether it was.
pub(super) async fn claim_alone(
    unit: &mut Unit<'_>,
    key: Uuid,
    account_id: AccountId,
    job_id: JobId,
) -> Result<bool, Error> {
    let key = unit.read::<JobKey>(key).await?;
    if let Some(earlier) = key.state.claim()
        && unit.read::<Job>(earlier.job_id).await?.state.requested()?.is_open()
    {
        return Ok(false);
    }
    let claim = Claim { job_id, unique_until: None };
    unit.decide(&key, JobKeyCommand::Claim { project_id: None, account_id, claim })?;
    Ok(true)
}

/// The job that is the only one with its key now.
async fn earlier(unit: &mut Unit<'_>, claim: Option<Claim>, now: OffsetDateTime) -> Result<Option<JobRow>, Error> {
    let Some(Claim { job_id, unique_until: Some(until) }) = claim else { return Ok(None) };
    let status = unit.read::<Job>(job_id).await?.state.requested()?.status;
    if until <= now || matches!(status, JobStatus::Cancelled | JobStatus::Deleted) {
        return Ok(None);
    }
    // It is in the log; whoever asks is shown it.
    caught_up(unit.pool(), &[JOBS]).await?;
    let row = jobs::find(unit.pool(), job_id).await?;
    row.map(Some).ok_or_else(|| Error::later(VIEWS_BEHIND, Duration::from_secs(1)))
}
