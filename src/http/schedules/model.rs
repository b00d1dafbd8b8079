//! Schedules as clients see them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::ScheduleId,
    job::{Key, Work},
    schedule::{
        self, CronExpression, EverySeconds, JobTemplate, ScheduleFields, ScheduleState, Suspension as Reason,
        TimeZoneName, Timing, UniqueSeconds,
    },
    timestamp::Timestamp,
};
use workroom_projections::schedules::ScheduleRow;

use crate::{application::schedules::calendar::Calendar, http::jobs::JobType};

/// How many of the next runs a schedule shows.
const SHOWN: usize = 5;

/// What becomes of runs that nobody was there for: those that are more than a minute late, or whose next one is due
/// as well.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissedRuns {
    /// None is made up.
    Skip,
    /// One run stands for all of them.
    One,
    /// Each is made up, one after the other, but no more than 100 in a row.
    All,
}

impl From<MissedRuns> for schedule::MissedRuns {
    fn from(missed: MissedRuns) -> Self {
        match missed {
            MissedRuns::Skip => Self::Skip,
            MissedRuns::One => Self::One,
            MissedRuns::All => Self::All,
        }
    }
}

/// Why a schedule cannot go on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum Suspension {
    /// Its project was deleted.
    ProjectDeleted,
    /// The account that it acts for was erased.
    AccountErased,
    /// The account that it acts for was deactivated.
    AccountDeactivated,
    /// The account that it acts for may not run jobs in the project any more.
    RightLost,
    /// What its jobs work on is not kept any more.
    InputLost,
    /// The service does not know its time zone any more.
    TimeZoneUnknown,
    /// The workspace whose files its jobs run was deleted.
    WorkspaceDeleted,
}

/// Why a run that was due submitted no job. The schedule goes on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum PassedOver {
    /// Nobody was there to run it, and the schedule makes up for none.
    Missed,
    /// An earlier job was the only one with its key.
    EarlierJob,
    /// What lay in the workspace could not be run: no file lay at `entry`, there was too much, or something was redacted.
    WorkspaceUnfit,
}

/// The job that a schedule submits each time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScheduledJob {
    /// What kind of work it is.
    #[schema(value_type = JobType)]
    pub r#type: String,
    /// The language that the program is written in; null for a job that runs no program.
    #[schema(example = "python")]
    pub language: Option<String>,
    /// How long the program may run, in seconds; null for a job that runs no program.
    pub timeout_seconds: Option<i32>,
    /// How urgent it is among the jobs of its organization: 1 is the most urgent, 5 the least.
    pub priority: i32,
    /// How often it may be tried.
    pub max_attempts: i32,
    /// Of the jobs of a project (or account) with the same key one runs at a time.
    pub key: Option<String>,
    /// Jobs with different ones take turns, within their organization.
    pub fairness_key: Option<String>,
    /// The workspace whose files are the program, as they are at each run; null for another program, and for a job that runs none.
    pub workspace_id: Option<Uuid>,
    /// For so many seconds each job is the only one with its key; null where it is not.
    pub unique_seconds: Option<i32>,
}

/// A job that is submitted again and again.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JobSchedule)]
pub struct Schedule {
    /// The schedule's id, a UUIDv7.
    pub id: Uuid,
    /// What it is called.
    pub name: Option<String>,
    /// The project it belongs to; null for the creator's own.
    pub project_id: Option<Uuid>,
    /// The account that created the schedule.
    pub created_by: Uuid,
    /// The account that submits the jobs: who created the schedule, or last changed what is run or when, or let it go
    /// on.
    pub acts_for: Uuid,
    /// The cron expression whose minutes it runs at; null where it runs after equal times.
    #[schema(example = "30 3 * * mon-fri")]
    pub cron: Option<String>,
    /// The seconds between two runs; null where it goes by a cron expression.
    pub every_seconds: Option<i32>,
    /// The time zone whose clocks the cron expression goes by.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// What becomes of missed runs.
    #[schema(value_type = MissedRuns)]
    pub missed: String,
    /// Whether it rests until somebody changes that.
    pub paused: bool,
    /// Why it cannot go on; null where it can. Who may run jobs lets it go on in their own name by `paused: false`.
    #[schema(value_type = Option<Suspension>)]
    pub suspended: Option<String>,
    /// What it submits.
    pub job: ScheduledJob,
    /// When it runs next: the next five times; none while it rests.
    #[schema(value_type = Vec<OffsetDateTime>)]
    pub next_runs: Vec<Timestamp>,
    /// The time that the latest job was submitted for.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_run_at: Option<OffsetDateTime>,
    /// The latest job.
    pub last_job_id: Option<Uuid>,
    /// Why the latest run that was due submitted no job; null where it submitted one.
    #[schema(value_type = Option<PassedOver>)]
    pub passed_over: Option<String>,
    /// When the schedule was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed; runs do not count.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`. Runs do not change it.
    pub version: i64,
}

impl From<ScheduleRow> for Schedule {
    fn from(row: ScheduleRow) -> Self {
        let next_runs = next_runs(&row);
        Self {
            id: row.id,
            name: row.name,
            project_id: row.project_id,
            created_by: row.created_by,
            acts_for: row.acts_for,
            cron: row.cron,
            every_seconds: row.every_seconds,
            time_zone: row.time_zone,
            missed: row.missed,
            paused: row.paused,
            suspended: row.suspended,
            job: ScheduledJob {
                r#type: row.job_type,
                language: row.language,
                timeout_seconds: row.timeout_seconds,
                priority: row.priority,
                max_attempts: row.max_attempts,
                key: row.key,
                fairness_key: row.fairness_key,
                workspace_id: row.workspace_id,
                unique_seconds: row.unique_seconds,
            },
            next_runs,
            last_run_at: row.last_run_at,
            last_job_id: row.last_job_id,
            passed_over: row.passed_over,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

fn next_runs(row: &ScheduleRow) -> Vec<Timestamp> {
    let first = row.next_at.and_then(|at| Timestamp::new(at).ok());
    let upcoming = || {
        let timing = match (&row.cron, row.every_seconds) {
            (Some(expression), _) => Timing::Cron(CronExpression::parse(expression).ok()?),
            (None, seconds) => Timing::EverySeconds(EverySeconds::from_number(u32::try_from(seconds?).ok()?)?),
        };
        let time_zone = TimeZoneName::parse(&row.time_zone).ok()?;
        let counted_from = Timestamp::new(row.counted_from).ok()?;
        Some(Calendar::new(&timing, &time_zone, counted_from).ok()?.upcoming(first, SHOWN))
    };
    // A version that does not know the time zone knows the next run all the same.
    upcoming().unwrap_or_else(|| first.into_iter().collect())
}

/// A schedule as a command has left it, in the form in which the view shows it.
pub(super) fn row(
    id: ScheduleId,
    state: &ScheduleState,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
) -> ScheduleRow {
    let ScheduleFields { name, timing, time_zone, missed, paused, job } = &state.fields;
    let JobTemplate { work, max_attempts, priority, key, fairness_key, workspace_id, unique_seconds } = job;
    let (cron, every_seconds) = match timing {
        Timing::Cron(expression) => (Some(expression.as_str().to_owned()), None),
        Timing::EverySeconds(seconds) => (None, Some(small(seconds.number()))),
    };
    let (language, timeout_seconds) = match work {
        Work::CodeExecution { language, timeout_seconds, .. } => {
            (Some(language.as_str().to_owned()), Some(small(timeout_seconds.seconds())))
        }
        _ => (None, None),
    };
    let text = |key: &Option<Key>| key.as_ref().map(|key| key.as_str().to_owned());
    ScheduleRow {
        id: id.into(),
        project_id: state.project_id.map(Into::into),
        created_by: state.created_by.into(),
        acts_for: state.acts_for.into(),
        name: name.as_ref().map(|name| name.as_str().to_owned()),
        cron,
        every_seconds,
        time_zone: time_zone.as_str().to_owned(),
        missed: missed.as_str().to_owned(),
        paused: *paused,
        suspended: state.suspended.map(Reason::as_str).map(str::to_owned),
        job_type: work.job_type().to_owned(),
        language,
        timeout_seconds,
        priority: priority.number().into(),
        max_attempts: small(max_attempts.number()),
        key: text(key),
        fairness_key: text(fairness_key),
        workspace_id: workspace_id.map(Into::into),
        unique_seconds: unique_seconds.map(UniqueSeconds::number).map(small),
        counted_from: state.counted_from.get(),
        next_at: state.next_at.map(Timestamp::get),
        last_run_at: state.last_run.map(|(at, _)| at.get()),
        last_job_id: state.last_run.map(|(_, job_id)| job_id.into()),
        passed_over: state.passed_over.map(schedule::PassedOver::as_str).map(str::to_owned),
        created_at,
        updated_at,
        version: state.version,
    }
}

/// Numbers of a schedule are small.
fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
