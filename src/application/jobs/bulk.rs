//! Do something with many jobs: a job of its own, that gives the ordinary command for each of them, in the name of who
//! asked for it.
//!
//! It may be interrupted anywhere, and goes through them again then. The events that it causes name the event that asked
//! for it as their cause, so that it knows what it has done, and does nothing twice.

use futures::future::join_all;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::{
    access::OrganizationAction,
    actor::Actor,
    ids::{AccountId, JobId, ProjectId},
    job::{ControlAction, ControlCounts, ControlFilter, Job, JobStatus, Key, MaxAttempts, Priority, Request, Work},
    refusal::Kind,
    timestamp::Timestamp,
};
use workroom_projections::jobs::{self, Candidate, Controlled, ControlledOf};

use super::{
    CancelJob, DeleteJob, DeleteJobData, OpenJobs, Repeat, RetryJob, SubmitJob, SubmittedJob, key_id,
    submit::{EXPORT_KEYS, claim_alone},
};
use crate::application::{
    App, Command, Context, Error, IfVersion, Unit,
    views::{JOBS, caught_up},
};

/// Jobs that are looked up at a time.
const PAGE: i64 = 512;
/// Commands that are given at a time.
const AT_ONCE: usize = 16;
/// How the keys of controlling jobs begin.
const CONTROL_KEYS: &str = "job_control:";
/// Keys that begin like this are the service's own.
pub const RESERVED_KEYS: [&str; 2] = [CONTROL_KEYS, EXPORT_KEYS];

/// Have something done with many jobs.
#[derive(Clone, Debug)]
pub struct SubmitControl(SubmitJob);

impl SubmitControl {
    /// Of a project's jobs where it is named, else of those that the filter says.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn new(
        (job_id, account_id): (JobId, AccountId),
        project_id: Option<ProjectId>,
        (action, filter): (ControlAction, ControlFilter),
        open: OpenJobs,
    ) -> Result<Self, Error> {
        // One at a time, and a turn of its own, beside all that waits.
        let key = Key::parse(&format!("{CONTROL_KEYS}{account_id}")).map_err(Error::failure)?;
        let fairness_key = Key::parse("job_control").map_err(Error::failure)?;
        Ok(Self(SubmitJob {
            job_id,
            project_id,
            work: Work::JobControl { action, filter },
            max_attempts: MaxAttempts::default(),
            priority: Priority::from_number(1).unwrap_or_default(),
            run_at: None,
            key: Some(key),
            repeat: Repeat::Each,
            fairness_key: Some(fairness_key),
            schedule_id: None,
            can_be_run: true,
            open,
        }))
    }

    /// The job that does it.
    pub fn job(&self) -> &SubmitJob {
        &self.0
    }

    /// Who has used up what may wait can still cancel it: one such job of an account is let in beside all limits. The
    /// claim of its key says which.
    async fn open(&self, unit: &mut Unit<'_>) -> Result<OpenJobs, Error> {
        let account_id = unit.context().account()?;
        let Some(key) = &self.0.key else { return Ok(self.0.open.clone()) };
        let key = key_id(account_id.uuid(), key.as_str());
        let is_alone = claim_alone(unit, key, account_id, self.0.job_id).await?;
        Ok(if is_alone { self.0.open.unlimited() } else { self.0.open.clone() })
    }
}

impl Command for SubmitControl {
    type Reply = SubmittedJob;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<SubmittedJob, Error> {
        if let Work::JobControl { filter: ControlFilter { organization_id: Some(organization_id), .. }, .. } =
            &self.0.work
        {
            unit.authorize_in_organization(*organization_id, OrganizationAction::Edit).await?;
        }
        let open = self.open(unit).await?;
        SubmitJob { open, ..self.0.clone() }.decide(unit).await
    }
}

/// Do it with one of them.
#[derive(Debug)]
struct ControlJob {
    job_id: JobId,
    /// Its version when it was found.
    version: i64,
    action: ControlAction,
    retry: RetryJob,
}

impl Command for ControlJob {
    /// Whether it was changed by this.
    type Reply = bool;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.job_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<bool, Error> {
        let job_id = self.job_id;
        let before = unit.read::<Job>(job_id).await?.sequence;
        let after = match self.action {
            ControlAction::Cancel => CancelJob { job_id }.decide(unit).await?.version,
            // Another worker may be at the same, and the job may have failed again since: once is enough.
            ControlAction::Retry if before != self.version => before,
            ControlAction::Retry => self.retry.decide(unit).await?.version,
            ControlAction::Delete => DeleteJob { job_id, if_version: IfVersion(None) }.decide(unit).await?,
        };
        Ok(after > before)
    }
}

/// What became of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Changed,
    Refused,
    /// Who asked may not know of it, or it is gone.
    Unknown,
}

impl App {
    /// Does what a controlling job asks for with each job that it is about; none when it was stopped before it was
    /// through. Returns once it is committed, whether or not the views show it. `progress` is told how many this attempt
    /// has gone through, and of how many: an estimate, since some change meanwhile.
    ///
    /// # Errors
    /// What has to do with none of these jobs: nothing is lost when it is done again.
    pub async fn control_jobs(
        &self,
        (control_id, attempt): (JobId, u32),
        request: &Request,
        open: &OpenJobs,
        stop: &CancellationToken,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Option<ControlCounts>, Error> {
        let Work::JobControl { action, filter } = &request.work else {
            return Err(Error::failure("the job controls no others"));
        };
        let asked = asked(self.pool(), control_id).await?;
        caught_up(self.pool(), &[JOBS]).await?;
        let mut counts = ControlCounts::default();
        if attempt > 1 {
            counts.changed = changed_because_of(self.pool(), asked.1).await?;
        }
        let statuses = statuses(*action, filter.status);
        let which = controlled(request, *action, filter, &statuses, asked);
        // All that was submitted before is in the views by now.
        let end = jobs::newest(self.pool()).await?;
        let mut place = JobId(Uuid::nil());
        let all = u64::try_from(jobs::count_controlled(self.pool(), &which, end).await?).unwrap_or_default();
        let mut done = 0;
        loop {
            let page = jobs::controlled(self.pool(), &which, (place, end), PAGE).await?;
            let Some(last) = page.last() else { break };
            place = JobId(last.id);
            done += page.iter().filter(|candidate| !candidate.is_asked).count() as u64;
            let asked_for: Vec<Candidate> = page.into_iter().filter(|candidate| candidate.is_asked).collect();
            for some in asked_for.chunks(AT_ONCE) {
                if stop.is_cancelled() {
                    return Ok(None);
                }
                let given = some.iter().copied().map(|Candidate { id, version, .. }| {
                    let (job_id, retry) = (JobId(id), RetryJob::new(JobId(id), open.clone()));
                    let command = ControlJob { job_id, version, action: *action, retry };
                    self.control_job(asked.1, control_id, request.submitted_by, command)
                });
                for fate in join_all(given).await {
                    match fate? {
                        Fate::Changed => counts.changed += 1,
                        Fate::Refused => counts.refused += 1,
                        Fate::Unknown => {}
                    }
                    done += 1;
                }
                progress(done.min(all), all);
            }
        }
        counts.matched = counts.changed + counts.refused;
        Ok(Some(counts))
    }

    async fn control_job(
        &self,
        cause: Uuid,
        control_id: JobId,
        account_id: AccountId,
        command: ControlJob,
    ) -> Result<Fate, Error> {
        let job_id = command.job_id;
        let context =
            Context { causation_id: Some(cause), ..Context::new(Actor::Account(account_id), control_id.uuid()) };
        let done = match command.action {
            ControlAction::Delete => {
                let data = DeleteJobData(command.job_id);
                self.run_with_tables(&context, &command, &data).await.map(|done| done.reply)
            }
            ControlAction::Retry => self.run_unseen_with_tables(&context, &command, &command.retry).await,
            ControlAction::Cancel => self.run_unseen(&context, &command).await,
        };
        match done {
            Ok(true) => Ok(Fate::Changed),
            Ok(false) => Ok(Fate::Refused),
            Err(error) => match error.kind() {
                Kind::Unavailable => Err(error),
                // One that cannot be read must not keep the others from it.
                Kind::Failure => {
                    tracing::error!(error = &error as &dyn std::error::Error, %job_id, "a job cannot be controlled");
                    Ok(Fate::Refused)
                }
                Kind::NotFound => Ok(Fate::Unknown),
                _ => Ok(Fate::Refused),
            },
        }
    }
}

/// Where they stand.
fn statuses(action: ControlAction, only: Option<JobStatus>) -> Vec<&'static str> {
    let all = action.statuses().iter().copied();
    all.filter(|status| only.is_none_or(|only| only == *status)).map(JobStatus::as_str).collect()
}

/// Which jobs a controlling job is about.
fn controlled<'a>(
    request: &Request,
    action: ControlAction,
    filter: &'a ControlFilter,
    statuses: &'a [&'a str],
    asked: (i64, Uuid),
) -> Controlled<'a> {
    Controlled {
        of: match (request.project_id, filter.organization_id) {
            (Some(id), _) => ControlledOf::Project(id),
            (None, Some(id)) => ControlledOf::Organization(id),
            (None, None) => ControlledOf::Account(request.submitted_by),
        },
        statuses,
        // One that was cancelled must not begin again because all that was cancelled is to be done again.
        with_controlling: action == ControlAction::Delete,
        job_type: filter.job_type.as_deref(),
        key: filter.key.as_ref().map(Key::as_str),
        fairness_key: filter.fairness_key.as_ref().map(Key::as_str),
        created_before: filter.created_before.map(Timestamp::get),
        created_after: filter.created_after.map(Timestamp::get),
        asked,
    }
}

/// The place in the log of the event that asked for a job, and its id.
async fn asked(pool: &PgPool, job_id: JobId) -> Result<(i64, Uuid), sqlx::Error> {
    sqlx::query_as(
        "SELECT position, event_id FROM events WHERE aggregate_type = 'job' AND aggregate_id = $1 AND sequence = 1",
    )
    .bind(job_id.uuid().to_string())
    .fetch_one(pool)
    .await
}

/// How many jobs were changed because of an event: by attempts that were interrupted.
async fn changed_because_of(pool: &PgPool, event_id: Uuid) -> Result<u64, Error> {
    // The index `events_caused_in_jobs` has just these events.
    let changed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events
         WHERE metadata->>'causation_id' = $1
           AND aggregate_type = 'job' AND event_type IN ('JobCancelled', 'JobRedriven', 'JobDeleted')",
    )
    .bind(event_id.to_string())
    .fetch_one(pool)
    .await?;
    u64::try_from(changed).map_err(Error::failure)
}
