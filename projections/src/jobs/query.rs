//! Questions about jobs. What a program printed comes from `job_output_pieces`, which lies outside the log.

use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, JobId, ProjectId, ScheduleId};

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
    /// The program's language, where there is one.
    pub language: Option<String>,
    /// How long the program may run.
    pub timeout_seconds: Option<i32>,
    /// How urgent it is, 1 to 5.
    pub priority: i32,
    /// When it is to be done, where that was asked for.
    pub run_at: Option<OffsetDateTime>,
    /// Of the jobs with the same key one runs at a time.
    pub key: Option<String>,
    /// Jobs with different ones take turns.
    pub fairness_key: Option<String>,
    /// The schedule that submitted it, if one did.
    pub schedule_id: Option<Uuid>,
    /// How often it may be tried.
    pub max_attempts: i32,
    /// Where it stands.
    pub status: String,
    /// The latest attempt, 0 before the first.
    pub attempt: i32,
    /// How many attempts do not count: they were interrupted, or came too early.
    pub uncounted: i32,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub execution_time_ms: Option<i64>,
    /// Whether output was dropped.
    pub truncated: Option<bool>,
    /// The limit that ended it.
    pub limit_hit: Option<String>,
    /// How many jobs it was about, where it controls others.
    pub matched: Option<i64>,
    /// How many of these it has changed.
    pub changed: Option<i64>,
    /// How many of these it could not change.
    pub refused: Option<i64>,
    /// When the next attempt is due, where the job waits.
    pub due_at: Option<OffsetDateTime>,
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
    /// The files that it has left: a list of `path` and `size`.
    pub artifacts: serde_json::Value,
    /// How far the latest attempt says that it is, in percent.
    pub progress_percent: Option<f64>,
    /// What it says of that.
    pub progress_message: Option<String>,
    /// When it has said so.
    pub progress_at: Option<OffsetDateTime>,
}

const COLUMNS: &str = "j.id, j.project_id, j.submitted_by, j.job_type, j.language, j.timeout_seconds, j.priority, j.run_at,
    j.key, j.fairness_key, j.schedule_id, j.max_attempts, j.status, j.attempt, j.uncounted, j.exit_code, j.execution_time_ms, j.truncated,
    j.limit_hit, j.matched, j.changed, j.refused, j.due_at, j.created_at, j.started_at, j.completed_at, j.version, o.stdout, o.stderr, f.artifacts,
    g.percent AS progress_percent, g.message AS progress_message, g.at AS progress_at";

/// What the latest attempt of a job `j` has printed and left, and how far it says that it is.
const LEFT: &str = "LEFT JOIN LATERAL (
        SELECT string_agg(p.text, '' ORDER BY p.seq) FILTER (WHERE p.stream = 'stdout') AS stdout,
               string_agg(p.text, '' ORDER BY p.seq) FILTER (WHERE p.stream = 'stderr') AS stderr
        FROM job_output_pieces p WHERE p.job_id = j.id AND p.attempt = j.attempt
    ) AS o ON true CROSS JOIN LATERAL (
        SELECT COALESCE(jsonb_agg(jsonb_build_object('path', a.path, 'size', octet_length(a.content)) ORDER BY a.path), '[]')
               AS artifacts
        FROM job_artifacts a WHERE a.job_id = j.id AND a.attempt = j.attempt
    ) AS f LEFT JOIN job_progress g ON g.job_id = j.id AND g.attempt = j.attempt";

/// Whose a job is, and how far: without what it has printed.
#[derive(Clone, Debug, FromRow)]
pub struct JobStanding {
    /// The project it belongs to, if any.
    pub project_id: Option<Uuid>,
    /// Who asked for it.
    pub submitted_by: Uuid,
    /// Where it stands.
    pub status: String,
    /// The latest attempt, 0 before the first.
    pub attempt: i32,
    /// Whether output was dropped.
    pub truncated: Option<bool>,
    /// When it was over.
    pub completed_at: Option<OffsetDateTime>,
}

/// Whose a job is, and how far; as [`find`].
pub async fn standing(pool: &PgPool, job_id: JobId) -> Result<Option<JobStanding>, sqlx::Error> {
    sqlx::query_as(
        "SELECT project_id, submitted_by, status, attempt, truncated, completed_at FROM jobs
         WHERE id = $1 AND job_type <> 'webhook_delivery'",
    )
    .bind(job_id.uuid())
    .fetch_optional(pool)
    .await
}

/// One job, if it is not the delivery of a webhook: those are shown with their webhook. Whether the asking account may see it
/// is the caller's to decide.
pub async fn find(pool: &PgPool, job_id: JobId) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM jobs j {LEFT} WHERE j.id = $1 AND j.job_type <> 'webhook_delivery'"))
        .bind(job_id.uuid())
        .fetch_optional(pool)
        .await
}

/// Narrows a list of jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this project.
    pub project_id: Option<ProjectId>,
    /// Only of this status.
    pub status: Option<&'a str>,
    /// Only of this type.
    pub job_type: Option<&'a str>,
    /// Only those that this schedule has submitted.
    pub schedule_id: Option<ScheduleId>,
}

/// Jobs, newest first: of a project when the filter names one, else those that the account submitted.
pub async fn list(
    pool: &PgPool,
    account_id: AccountId,
    filter: Filter<'_>,
    page: Page,
) -> Result<Listed<JobRow>, sqlx::Error> {
    // The page first: what others have printed is not put together to be passed over.
    let mut query = QueryBuilder::<Postgres>::new(format!("SELECT {COLUMNS} FROM (SELECT * FROM jobs j"));
    let (parent, id) = match filter.project_id {
        Some(id) => ("j.project_id", id.uuid()),
        None => ("j.submitted_by", account_id.uuid()),
    };
    for (start, bound) in [("WHERE", Uuid::nil()), ("AND", page.after.unwrap_or(Uuid::max()))] {
        let relation = if start == "AND" { "<" } else { ">=" };
        query.push(format!(" {start} ({parent}, j.id) {relation} ("));
        query.push_bind(id).push(", ").push_bind(bound).push(")");
    }
    // Those are shown with their webhook.
    query.push(" AND j.job_type <> 'webhook_delivery'");
    if let Some(status) = filter.status {
        query.push(" AND j.status = ").push_bind(status.to_owned());
    }
    if let Some(job_type) = filter.job_type {
        query.push(" AND j.job_type = ").push_bind(job_type.to_owned());
    }
    if let Some(schedule_id) = filter.schedule_id {
        query.push(" AND j.schedule_id = ").push_bind(schedule_id.uuid());
    }
    query.push(format!(" ORDER BY {parent} DESC, j.id DESC LIMIT ")).push_bind(page.limit + 1);
    query.push(" OFFSET ").push_bind(page.skip);
    query.push(format!(") AS j {LEFT} ORDER BY j.id DESC"));
    let rows = query.build_query_as().fetch_all(pool).await?;
    Ok(Listed::from_one_more(rows, page, |row: &JobRow| row.id))
}

/// A job that is not over, as whoever hands out jobs needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OpenJob {
    /// Id of the job.
    pub id: Uuid,
    /// What kind of work it is.
    pub job_type: String,
    /// The project it belongs to, if any.
    pub project_id: Option<Uuid>,
    /// The organization that the project lives in.
    pub organization_id: Option<Uuid>,
    /// Who asked for it.
    pub submitted_by: Uuid,
    /// How urgent it is, 1 to 5.
    pub priority: i32,
    /// Of the jobs with the same key one runs at a time.
    pub key: Option<String>,
    /// Jobs with different ones take turns.
    pub fairness_key: Option<String>,
    /// Its latest attempt.
    pub attempt: i32,
    /// When it is to be done, where that was asked for.
    pub run_at: Option<OffsetDateTime>,
    /// When the next attempt is due; none while one runs.
    pub due_at: Option<OffsetDateTime>,
    /// Who runs the attempt.
    pub worker_id: Option<Uuid>,
    /// The webhook, where it is a delivery of one.
    pub webhook_id: Option<Uuid>,
}

const OPEN: &str =
    "j.id, j.job_type, j.project_id, j.organization_id, j.submitted_by, j.priority, j.key, j.fairness_key,
    j.attempt, j.run_at, j.due_at, j.worker_id,
    CASE WHEN j.job_type = 'webhook_delivery'
         THEN COALESCE(d.webhook_id, substring(j.fairness_key FROM '^webhook:(.{36})$')::uuid) END AS webhook_id";

/// All jobs that are not over, and the position in the log that this is as of: both from one look.
pub async fn open(pool: &PgPool) -> Result<(i64, Vec<OpenJob>), sqlx::Error> {
    let rows = sqlx::query(&format!(
        "SELECT c.position, {OPEN} FROM (
             SELECT COALESCE((SELECT position FROM projection_checkpoints WHERE projection_group = 'jobs'), 0) AS position
         ) AS c LEFT JOIN jobs j ON j.status IN ('pending', 'running')
         LEFT JOIN webhook_deliveries d ON d.id = j.id"
    ))
    .fetch_all(pool)
    .await?;
    let position = rows.first().map_or(Ok(0), |row| row.try_get("position"))?;
    let jobs = rows.iter().filter(|row| !matches!(row.try_get::<Option<Uuid>, _>("id"), Ok(None)));
    Ok((position, jobs.map(OpenJob::from_row).collect::<Result<_, _>>()?))
}

/// A piece of what a job has printed.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OutputPiece {
    /// Its number within the attempt, from 1.
    pub seq: i32,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// What was printed.
    pub text: String,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}

/// What an attempt has printed behind a piece, in the order in which it came.
pub async fn output(
    pool: &PgPool,
    job_id: JobId,
    attempt: i32,
    after: i32,
    limit: i64,
) -> Result<Vec<OutputPiece>, sqlx::Error> {
    sqlx::query_as(
        "SELECT seq, stream, text, created_at FROM job_output_pieces
         WHERE job_id = $1 AND attempt = $2 AND seq > $3 ORDER BY seq LIMIT $4",
    )
    .bind(job_id.uuid())
    .bind(attempt)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// How far somebody has read what an attempt prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputPlace {
    /// The job.
    pub job_id: JobId,
    /// Its attempt.
    pub attempt: i32,
    /// The number of the last piece that was read.
    pub seq: i32,
}

/// What several attempts have printed behind these places: of each its next pieces, in their order, so many at most.
pub async fn output_behind(
    pool: &PgPool,
    places: &[OutputPlace],
    limit: i64,
) -> Result<Vec<(OutputPlace, OutputPiece)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT w.job_id, w.attempt, p.seq, p.stream, p.text, p.created_at
         FROM unnest($1::uuid[], $2::int[], $3::int[]) AS w (job_id, attempt, seen)
         CROSS JOIN LATERAL (
             SELECT o.seq, o.stream, o.text, o.created_at FROM job_output_pieces o
             WHERE o.job_id = w.job_id AND o.attempt = w.attempt AND o.seq > w.seen ORDER BY o.seq LIMIT $4
         ) AS p ORDER BY w.job_id, w.attempt, p.seq",
    )
    .bind(places.iter().map(|place| place.job_id.uuid()).collect::<Vec<Uuid>>())
    .bind(places.iter().map(|place| place.attempt).collect::<Vec<i32>>())
    .bind(places.iter().map(|place| place.seq).collect::<Vec<i32>>())
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let place = |row: &PgRow, seq| {
        Ok::<_, sqlx::Error>(OutputPlace {
            job_id: JobId(row.try_get("job_id")?),
            attempt: row.try_get("attempt")?,
            seq,
        })
    };
    rows.iter()
        .map(|row| {
            let piece = OutputPiece::from_row(row)?;
            Ok((place(row, piece.seq)?, piece))
        })
        .collect()
}

/// In whose feed jobs are: their project's, or their account's. Asked of the log, which never lags.
pub async fn feeds(pool: &PgPool, jobs: &[JobId]) -> Result<Vec<(JobId, Uuid)>, sqlx::Error> {
    let ids: Vec<String> = jobs.iter().map(ToString::to_string).collect();
    let found: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT j.id, e.feed_id FROM unnest($1::text[]) AS j (id) CROSS JOIN LATERAL (
             SELECT feed_id FROM events WHERE aggregate_type = 'job' AND aggregate_id = j.id AND sequence = 1 LIMIT 1
         ) AS e",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().filter_map(|(id, feed_id)| Some((JobId(id.parse().ok()?), feed_id))).collect())
}

/// The files that an attempt has left: paths, and bytes.
pub async fn artifacts(pool: &PgPool, job_id: JobId, attempt: i32) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT path, octet_length(content)::bigint FROM job_artifacts
         WHERE job_id = $1 AND attempt = $2 ORDER BY path",
    )
    .bind(job_id.uuid())
    .bind(attempt)
    .fetch_all(pool)
    .await
}

/// How many bytes a file has that an attempt has left.
pub async fn artifact_size(pool: &PgPool, job_id: JobId, attempt: i32, path: &str) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT octet_length(content) FROM job_artifacts WHERE job_id = $1 AND attempt = $2 AND path = $3",
    )
    .bind(job_id.uuid())
    .bind(attempt)
    .bind(path)
    .fetch_optional(pool)
    .await
}

/// What is in a file that an attempt has left, behind so many bytes, so many at most. None when it is no longer kept.
pub async fn artifact_part(
    pool: &PgPool,
    (job_id, attempt, path): (JobId, i32, &str),
    behind: i32,
    most: i32,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT substring(content FROM $4 + 1 FOR $5) FROM job_artifacts
         WHERE job_id = $1 AND attempt = $2 AND path = $3",
    )
    .bind(job_id.uuid())
    .bind(attempt)
    .bind(path)
    .bind(behind)
    .bind(most)
    .fetch_optional(pool)
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

/// Jobs without a project that are not over, of an account that was erased or is deactivated, or of all of those.
pub async fn open_of_closed(
    pool: &PgPool,
    account_id: Option<AccountId>,
    limit: i64,
) -> Result<Vec<JobId>, sqlx::Error> {
    // A statement for each question, so that each goes by the index that fits it.
    let of_account = if account_id.is_some() { "j.submitted_by = $1" } else { "$1::uuid IS NULL" };
    let found: Vec<Uuid> = sqlx::query_scalar(&format!(
        "SELECT j.id FROM jobs j
         WHERE j.status IN ('pending', 'running') AND j.project_id IS NULL AND {of_account}
           AND NOT EXISTS (SELECT FROM accounts a WHERE a.id = j.submitted_by AND a.deactivated_at IS NULL)
         ORDER BY j.id LIMIT $2"
    ))
    .bind(account_id.map(AccountId::uuid))
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(JobId).collect())
}

/// Whose jobs are: a project's, or an account's that belong to no project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// All jobs of a project.
    Project(ProjectId),
    /// The jobs without a project that an account has submitted.
    Account(AccountId),
}

/// An owner's jobs behind one, by id, over or not, so many at most.
pub async fn of_owner(pool: &PgPool, owner: Owner, after: JobId, limit: i64) -> Result<Vec<JobId>, sqlx::Error> {
    let (of, id) = match owner {
        Owner::Project(id) => ("project_id = $1", id.uuid()),
        Owner::Account(id) => ("submitted_by = $1 AND project_id IS NULL", id.uuid()),
    };
    let found: Vec<Uuid> =
        sqlx::query_scalar(&format!("SELECT id FROM jobs WHERE {of} AND id > $2 ORDER BY id LIMIT $3"))
            .bind(id)
            .bind(after.uuid())
            .bind(limit)
            .fetch_all(pool)
            .await?;
    Ok(found.into_iter().map(JobId).collect())
}
