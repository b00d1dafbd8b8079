//! The jobs that a controlling job is about, page by page.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, JobId, OrganizationId, ProjectId};

/// Whose jobs they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlledOf {
    /// Of a project.
    Project(ProjectId),
    /// Of the projects of an organization.
    Organization(OrganizationId),
    /// Submitted by an account.
    Account(AccountId),
}

/// Which jobs they are. Deliveries of webhooks are never among them.
#[derive(Clone, Copy, Debug)]
pub struct Controlled<'a> {
    /// Whose they are.
    pub of: ControlledOf,
    /// Where they stand.
    pub statuses: &'a [&'a str],
    /// Whether those that control others are among them.
    pub with_controlling: bool,
    /// Only of this type.
    pub job_type: Option<&'a str>,
    /// Only with this key.
    pub key: Option<&'a str>,
    /// Only with this fairness key.
    pub fairness_key: Option<&'a str>,
    /// Only those that were submitted before.
    pub created_before: Option<OffsetDateTime>,
    /// Only those that were submitted after.
    pub created_after: Option<OffsetDateTime>,
    /// The event that asks for it: only what was in the log before it, and was not changed because of it.
    pub asked: (i64, Uuid),
}

/// A job that may be one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Candidate {
    /// Id of the job.
    pub id: Uuid,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether it is one of them, as the log says.
    pub is_asked: bool,
}

/// The last job of all; ids grow with the time of submission.
pub async fn newest(pool: &PgPool) -> Result<JobId, sqlx::Error> {
    let last: Option<Uuid> =
        sqlx::query_scalar("SELECT id FROM jobs ORDER BY id DESC LIMIT 1").fetch_optional(pool).await?;
    Ok(JobId(last.unwrap_or_default()))
}

/// How many candidates there are up to a job, before the log is asked about each.
pub async fn count_controlled(pool: &PgPool, which: &Controlled<'_>, last: JobId) -> Result<i64, sqlx::Error> {
    let (owner, id, left_out, open) = conditions(which);
    let query = format!(
        "SELECT count(*) FROM jobs j
         WHERE j.{owner} = $1 AND j.id <= $2 AND j.status = ANY ($3){open} AND j.job_type <> ALL ($4)
           AND ($5::text IS NULL OR j.job_type = $5) AND ($6::text IS NULL OR j.key = $6)
           AND ($7::text IS NULL OR j.fairness_key = $7)
           AND ($8::timestamptz IS NULL OR j.created_at < $8)
           AND ($9::timestamptz IS NULL OR j.created_at > $9)"
    );
    sqlx::query_scalar(&query)
        .bind(id)
        .bind(last.uuid())
        .bind(which.statuses)
        .bind(left_out)
        .bind(which.job_type)
        .bind(which.key)
        .bind(which.fairness_key)
        .bind(which.created_before)
        .bind(which.created_after)
        .fetch_one(pool)
        .await
}

/// The column that tells whose they are, its value, the types that are left out, and a condition for the planner: where all
/// of them are open, it lets it use the indexes of open jobs.
fn conditions(which: &Controlled<'_>) -> (&'static str, Uuid, &'static [&'static str], &'static str) {
    let (owner, id) = match which.of {
        ControlledOf::Project(id) => ("project_id", id.uuid()),
        ControlledOf::Organization(id) => ("organization_id", id.uuid()),
        ControlledOf::Account(id) => ("submitted_by", id.uuid()),
    };
    let left_out: &[&str] =
        if which.with_controlling { &["webhook_delivery"] } else { &["webhook_delivery", "job_control"] };
    let are_open = which.statuses.iter().all(|status| matches!(*status, "pending" | "running"));
    let open = if are_open { " AND j.status IN ('pending', 'running')" } else { "" };
    (owner, id, left_out, open)
}

/// The first candidates behind one job, up to another.
pub async fn controlled(
    pool: &PgPool,
    which: &Controlled<'_>,
    (after, last): (JobId, JobId),
    limit: i64,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let (owner, id, left_out, open) = conditions(which);
    let (position, event_id) = which.asked;
    // What the log says is looked up for the page alone, row by row.
    let query = format!(
        "SELECT j.id, j.version,
                COALESCE((SELECT e.position < $11 FROM events e
                          WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text AND e.sequence = 1), false)
                AND (SELECT bool_or(e.metadata->>'causation_id' = $12) FROM events e
                     WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text AND e.position > $11) IS NOT TRUE
                AS is_asked
         FROM (
             SELECT * FROM jobs j
             WHERE j.{owner} = $1 AND j.id > $2 AND j.id <= $3 AND j.status = ANY ($4){open}
               AND j.job_type <> ALL ($5)
               AND ($6::text IS NULL OR j.job_type = $6) AND ($7::text IS NULL OR j.key = $7)
               AND ($8::text IS NULL OR j.fairness_key = $8)
               AND ($9::timestamptz IS NULL OR j.created_at < $9)
               AND ($10::timestamptz IS NULL OR j.created_at > $10)
             ORDER BY j.{owner}, j.id LIMIT $13
         ) AS j ORDER BY j.id"
    );
    sqlx::query_as(&query)
        .bind(id)
        .bind(after.uuid())
        .bind(last.uuid())
        .bind(which.statuses)
        .bind(left_out)
        .bind(which.job_type)
        .bind(which.key)
        .bind(which.fairness_key)
        .bind(which.created_before)
        .bind(which.created_after)
        .bind(position)
        .bind(event_id.to_string())
        .bind(limit)
        .fetch_all(pool)
        .await
}
