//! Questions about jobs. What a program printed comes from `job_outputs`, which lies outside the log.

use sqlx::{PgPool, Postgres, QueryBuilder};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, JobId, ProjectId};

use crate::page::{Listed, Page};

/// A job, with what its latest attempt printed.
#[derive(Clone, Debug, FromRow)]
pub struct JobRow {
    /// Id of the job; jobs are listed by it, the newest first.
    pub id: Uuid,
    /// The project it belongs to, if any.
    pub project_id: Option<Uuid>,
    /// Who asked for it.
    pub submitted_by: Uuid,
    /// What kind of work it is.
    pub job_type: String,
    /// The program's language.
    pub language: String,
    /// How long the program may run.
    pub timeout_seconds: i32,
    /// How often it may be tried.
    pub max_attempts: i32,
    /// Where it stands.
    pub status: String,
    /// The latest attempt, 0 before the first.
    pub attempt: i32,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub execution_time_ms: Option<i64>,
    /// Whether output was dropped.
    pub truncated: Option<bool>,
    /// The limit that ended it.
    pub limit_hit: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When the latest attempt started.
    pub started_at: Option<OffsetDateTime>,
    /// When it was over.
    pub completed_at: Option<OffsetDateTime>,
    /// Sequence of its last event.
    pub version: i64,
    /// What the latest attempt printed.
    pub stdout: Option<String>,
    /// What the latest attempt printed as errors.
    pub stderr: Option<String>,
}

const SELECT: &str = "SELECT j.id, j.project_id, j.submitted_by, j.job_type, j.language, j.timeout_seconds,
    j.max_attempts, j.status, j.attempt, j.exit_code, j.execution_time_ms, j.truncated, j.limit_hit, j.created_at,
    j.started_at, j.completed_at, j.version, o.stdout, o.stderr
    FROM jobs j LEFT JOIN job_outputs o ON o.job_id = j.id AND o.attempt = j.attempt ";

/// One job. Whether the asking account may see it is the caller's to decide.
pub async fn find(pool: &PgPool, job_id: JobId) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE j.id = $1")).bind(job_id.uuid()).fetch_optional(pool).await
}

/// Narrows a list of jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this project.
    pub project_id: Option<ProjectId>,
    /// Only of this status.
    pub status: Option<&'a str>,
}

/// Jobs, newest first: of a project when the filter names one, else those that the account submitted.
pub async fn list(
    pool: &PgPool,
    account_id: AccountId,
    filter: Filter<'_>,
    page: Page,
) -> Result<Listed<JobRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    let (parent, id) = match filter.project_id {
        Some(id) => ("j.project_id", id.uuid()),
        None => ("j.submitted_by", account_id.uuid()),
    };
    for (start, bound) in [("WHERE", Uuid::nil()), ("AND", page.after.unwrap_or(Uuid::max()))] {
        let relation = if start == "AND" { "<" } else { ">=" };
        query.push(format!(" {start} ({parent}, j.id) {relation} ("));
        query.push_bind(id).push(", ").push_bind(bound).push(")");
    }
    if let Some(status) = filter.status {
        query.push(" AND j.status = ").push_bind(status.to_owned());
    }
    query.push(format!(" ORDER BY {parent} DESC, j.id DESC LIMIT ")).push_bind(page.limit + 1);
    query.push(" OFFSET ").push_bind(page.skip);
    let rows = query.build_query_as().fetch_all(pool).await?;
    Ok(Listed::from_one_more(rows, page, |row: &JobRow| row.id))
}

/// An attempt that waits to be handed to a worker, or whose worker may be lost.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Due {
    /// Id of the job that the attempt belongs to.
    pub id: Uuid,
    /// Its latest attempt.
    pub attempt: i32,
}

/// Jobs that have been due for at least `overdue_seconds`, that nobody runs, and that were not handed to the queue
/// before `again_before`.
pub async fn due(
    pool: &PgPool,
    overdue_seconds: f64,
    again_before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as(
        "SELECT j.id, j.attempt FROM jobs j
         LEFT JOIN job_dispatches d ON d.job_id = j.id AND d.attempt = j.attempt + 1
         WHERE j.status = 'pending' AND j.due_at <= now() - make_interval(secs => $1)
           AND (d.dispatched_at IS NULL OR d.dispatched_at < $2)
         ORDER BY j.due_at LIMIT $3",
    )
    .bind(overdue_seconds)
    .bind(again_before)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// How many jobs are due and nobody runs.
pub async fn count_due(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM jobs WHERE status = 'pending' AND due_at <= now()").fetch_one(pool).await
}

/// Jobs that are said to run, but whose worker has not renewed its claim: it is lost. An attempt without any claim is
/// given `grace_seconds` from its start to make one.
pub async fn running(pool: &PgPool, grace_seconds: f64, limit: i64) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as(
        "SELECT j.id, j.attempt FROM jobs j LEFT JOIN job_leases l ON l.job_id = j.id AND l.attempt = j.attempt
         WHERE j.status = 'running'
           AND COALESCE(l.expires_at, j.started_at + make_interval(secs => $1)) < now()
         ORDER BY j.started_at LIMIT $2",
    )
    .bind(grace_seconds)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Jobs that are not over, of a deleted project, or of all of those.
pub async fn open_in_deleted(
    pool: &PgPool,
    project_id: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<JobId>, sqlx::Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT j.id FROM jobs j JOIN projects p ON p.id = j.project_id AND p.deleted
         WHERE j.status IN ('pending', 'running') AND ($1::uuid IS NULL OR j.project_id = $1) ORDER BY j.id LIMIT $2",
    )
    .bind(project_id.map(ProjectId::uuid))
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(JobId).collect())
}
