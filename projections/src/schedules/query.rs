//! Questions about schedules.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, ProjectId, ScheduleId};

use crate::page::{Listed, Page};

/// A schedule.
#[derive(Clone, Debug, FromRow)]
pub struct ScheduleRow {
    /// Id of the schedule; schedules are listed by it, the newest first.
    pub id: Uuid,
    /// The project it belongs to, if any.
    pub project_id: Option<Uuid>,
    /// Who created it.
    pub created_by: Uuid,
    /// Whose right its runs rest on.
    pub acts_for: Uuid,
    /// What it is called.
    pub name: Option<String>,
    /// The minutes at which it runs, where it goes by the clock.
    pub cron: Option<String>,
    /// The time between runs, where it goes by that.
    pub every_seconds: Option<i32>,
    /// The time zone whose clocks it goes by.
    pub time_zone: String,
    /// What becomes of missed runs.
    pub missed: String,
    /// Whether it rests.
    pub paused: bool,
    /// Why it cannot go on, if it cannot.
    pub suspended: Option<String>,
    /// What kind of work its jobs are.
    pub job_type: String,
    /// The language of their program, where there is one.
    pub language: Option<String>,
    /// How long the program may run.
    pub timeout_seconds: Option<i32>,
    /// How urgent they are, 1 to 5.
    pub priority: i32,
    /// How often each may be tried.
    pub max_attempts: i32,
    /// Of the jobs with the same key one runs at a time.
    pub key: Option<String>,
    /// Jobs with different ones take turns.
    pub fairness_key: Option<String>,
    /// The workspace whose files they run, where they do.
    pub workspace_id: Option<Uuid>,
    /// For how long each is the only one with its key.
    pub unique_seconds: Option<i32>,
    /// What the time between runs is counted from.
    pub counted_from: OffsetDateTime,
    /// When it runs next; none while it rests.
    pub next_at: Option<OffsetDateTime>,
    /// When the latest job was submitted for.
    pub last_run_at: Option<OffsetDateTime>,
    /// The latest job.
    pub last_job_id: Option<Uuid>,
    /// Why the latest run that was due submitted no job, if it did not.
    pub passed_over: Option<String>,
    /// When its creation was decided.
    pub created_at: OffsetDateTime,
    /// When it last changed; runs do not count.
    pub updated_at: OffsetDateTime,
    /// Sequence of the event that changed it last.
    pub version: i64,
}

const SELECT: &str =
    "SELECT s.id, s.project_id, s.created_by, s.acts_for, s.name, s.cron, s.every_seconds, s.time_zone,
    s.missed, s.paused, s.suspended, s.job_type, s.language, s.timeout_seconds, s.priority, s.max_attempts, s.key,
    s.fairness_key, s.workspace_id, s.unique_seconds, s.counted_from, s.next_at, s.last_run_at, s.last_job_id,
    s.passed_over, s.created_at, s.updated_at, s.version
    FROM schedules s ";

/// Whose schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Those of a project.
    Project(ProjectId),
    /// Those that belong to an account alone.
    Account(AccountId),
}

impl Owner {
    /// The column that names the owner, what else narrows to the owner's schedules, and the owner's id.
    fn narrow(self) -> (&'static str, &'static str, Uuid) {
        match self {
            Self::Project(id) => ("s.project_id", "true", id.uuid()),
            Self::Account(id) => ("s.created_by", "s.project_id IS NULL", id.uuid()),
        }
    }
}

/// One schedule. Whether the asking account may see it is the caller's to decide.
pub async fn find(pool: &PgPool, schedule_id: ScheduleId) -> Result<Option<ScheduleRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE s.id = $1")).bind(schedule_id.uuid()).fetch_optional(pool).await
}

/// The schedules of an owner, newest first.
pub async fn list(pool: &PgPool, owner: Owner, page: Page) -> Result<Listed<ScheduleRow>, sqlx::Error> {
    let (column, narrowed, id) = owner.narrow();
    let rows = sqlx::query_as(&format!(
        "{SELECT} WHERE ({column}, s.id) >= ($1, $2) AND ({column}, s.id) < ($1, $3) AND {narrowed}
         ORDER BY {column} DESC, s.id DESC LIMIT $4 OFFSET $5"
    ))
    .bind(id)
    .bind(Uuid::nil())
    .bind(page.after.unwrap_or(Uuid::max()))
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &ScheduleRow| row.id))
}

/// A schedule that runs, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct DueSchedule {
    /// Id of the schedule.
    pub id: Uuid,
    /// When it runs next; that may be past.
    pub next_at: OffsetDateTime,
}

/// The present moment by the database's clock, and when the first schedule runs, but for some.
pub async fn first_due(
    pool: &PgPool,
    but_for: &[Uuid],
) -> Result<(OffsetDateTime, Option<OffsetDateTime>), sqlx::Error> {
    sqlx::query_as(
        "SELECT clock_timestamp(), (
             SELECT s.next_at FROM schedules s WHERE s.next_at IS NOT NULL AND s.id NOT IN (SELECT unnest($1::uuid[]))
             ORDER BY s.next_at LIMIT 1)",
    )
    .bind(but_for)
    .fetch_one(pool)
    .await
}

/// So many schedules are put in order at a time, those that are due longest.
const ORDERED: i64 = 10_000;

/// The schedules that are due, but for some. Those that are late come last: many of them keep nobody else waiting.
/// Tenants (an organization, or an account with what belongs to it alone) take turns.
pub async fn due(
    pool: &PgPool,
    now: OffsetDateTime,
    late: OffsetDateTime,
    but_for: &[Uuid],
    limit: i64,
) -> Result<Vec<DueSchedule>, sqlx::Error> {
    // Without a lower bound a plan that serves all moments expects a third of all schedules, and reads the whole table. Of the
    // late ones only so many are put in order at a time, those that are late longest.
    sqlx::query_as(
        "SELECT d.id, d.next_at FROM (
             SELECT s.id, s.next_at, s.is_late,
                    row_number() OVER (
                        PARTITION BY COALESCE(p.organization_id, s.created_by), s.is_late ORDER BY s.next_at, s.id
                    ) AS turn
             FROM (
                 (SELECT id, next_at, project_id, created_by, false AS is_late FROM schedules
                  WHERE next_at BETWEEN $2 AND $1 AND id NOT IN (SELECT unnest($3::uuid[]))
                  ORDER BY next_at LIMIT $5)
                 UNION ALL
                 (SELECT id, next_at, project_id, created_by, true FROM schedules
                  WHERE next_at BETWEEN '-infinity' AND $2 AND next_at < $2 AND id NOT IN (SELECT unnest($3::uuid[]))
                  ORDER BY next_at LIMIT $5)
             ) AS s LEFT JOIN projects p ON p.id = s.project_id
         ) AS d ORDER BY d.is_late, d.turn, d.next_at, d.id LIMIT $4",
    )
    .bind(now)
    .bind(late)
    .bind(but_for)
    .bind(limit)
    .bind(ORDERED)
    .fetch_all(pool)
    .await
}
