//! The jobs that a controlling job is about, page by page.

use sqlx::{PgPool, Postgres, QueryBuilder};
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

impl ControlledOf {
    /// The column of jobs that tells it, and its value.
    fn column(self) -> (&'static str, Uuid) {
        match self {
            Self::Project(id) => ("project_id", id.uuid()),
            Self::Organization(id) => ("organization_id", id.uuid()),
            Self::Account(id) => ("submitted_by", id.uuid()),
        }
    }
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
    let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM jobs j");
    narrow(&mut query, which, last);
    query.build_query_scalar().fetch_one(pool).await
}

/// Narrows `jobs j` to the candidates up to a job.
fn narrow<'a>(query: &mut QueryBuilder<'a, Postgres>, which: &Controlled<'a>, last: JobId) {
    let (owner, id) = which.of.column();
    query.push(format!(" WHERE j.{owner} = ")).push_bind(id).push(" AND j.id <= ").push_bind(last.uuid());
    query.push(" AND j.status = ANY (").push_bind(which.statuses).push(")");
    if which.statuses.iter().all(|status| matches!(*status, "pending" | "running")) {
        // For the planner: it lets it use the indexes of open jobs.
        query.push(" AND j.status IN ('pending', 'running')");
    }
    query.push(" AND j.job_type <> 'webhook_delivery'");
    if !which.with_controlling {
        query.push(" AND j.job_type <> 'job_control'");
    }
    for (column, value) in [("job_type", which.job_type), ("key", which.key), ("fairness_key", which.fairness_key)] {
        if let Some(value) = value {
            query.push(format!(" AND j.{column} = ")).push_bind(value);
        }
    }
    for (relation, moment) in [("<", which.created_before), (">", which.created_after)] {
        if let Some(moment) = moment {
            query.push(format!(" AND j.created_at {relation} ")).push_bind(moment);
        }
    }
}

/// The first candidates behind one job, up to another.
pub async fn controlled(
    pool: &PgPool,
    which: &Controlled<'_>,
    (after, last): (JobId, JobId),
    limit: i64,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let (owner, _) = which.of.column();
    let (position, event_id) = which.asked;
    // What the log says is looked up for the page alone, row by row.
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT j.id, j.version,
                COALESCE((SELECT e.position < asked.position FROM events e
                          WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text AND e.sequence = 1), false)
                AND (SELECT bool_or(e.metadata->>'causation_id' = asked.event_id) FROM events e
                     WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text
                       AND e.position > asked.position) IS NOT TRUE
                AS is_asked
         FROM (SELECT * FROM jobs j",
    );
    narrow(&mut query, which, last);
    query.push(" AND j.id > ").push_bind(after.uuid());
    query.push(format!(" ORDER BY j.{owner}, j.id LIMIT ")).push_bind(limit);
    query.push(") AS j CROSS JOIN (SELECT ").push_bind(position).push(" AS position, ").push_bind(event_id.to_string());
    query.push(" AS event_id) AS asked ORDER BY j.id");
    query.build_query_as().fetch_all(pool).await
}
