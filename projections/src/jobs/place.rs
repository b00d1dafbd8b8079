//! Where a job that waits stands in its line.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use workroom_domain::ids::JobId;

/// Where a job stands among those of its owner and fairness key that wait for the same kind of worker.
///
/// The owner is the organization of its project; an account, where it belongs to no project. Owners take turns, so nothing that
/// others have waiting counts.
#[derive(Clone, Copy, Debug, PartialEq, FromRow)]
pub struct Place {
    /// How many go before it, and itself: 1 is the next.
    pub position: i64,
    /// How many of its owner and fairness key run now.
    pub running: i64,
    /// How long the latest jobs of who submitted it took, in milliseconds; none where there were none.
    pub usual_ms: Option<f64>,
}

/// So many jobs of an owner are counted; of one that has more, no place is told.
const LONGEST_LINE: i64 = 10_000;
/// How many jobs before it are looked through for those that tell how long jobs take.
const LOOKED_THROUGH: i64 = 1000;

/// Where a job stands; none unless it waits, and is due. None, too, where its owner has more open jobs than are counted for each
/// who asks.
pub async fn place(pool: &PgPool, job_id: JobId) -> Result<Option<Place>, sqlx::Error> {
    sqlx::query_as(
        "WITH asked AS (
             SELECT * FROM jobs WHERE id = $1 AND status = 'pending' AND due_at <= now()
         ), open AS (
             SELECT o.status, o.priority, o.due_at, o.id, o.fairness_key, o.job_type
             FROM asked a CROSS JOIN LATERAL (
                 (SELECT * FROM jobs
                  WHERE organization_id = a.organization_id AND status IN ('pending', 'running') LIMIT $2)
                 UNION ALL
                 (SELECT * FROM jobs
                  WHERE a.organization_id IS NULL AND submitted_by = a.submitted_by AND organization_id IS NULL
                    AND status IN ('pending', 'running') LIMIT $2)
             ) AS o
         ), line AS (
             SELECT o.* FROM asked a JOIN open o ON o.fairness_key IS NOT DISTINCT FROM a.fairness_key
               AND (o.job_type = 'code_execution') = (a.job_type = 'code_execution')
         )
         SELECT (SELECT 1 + count(*) FROM line l WHERE l.status = 'pending' AND l.due_at <= now()
                   AND (l.priority, l.due_at, l.id) < (a.priority, a.due_at, a.id)) AS position,
                (SELECT count(*) FROM line WHERE status = 'running') AS running,
                (SELECT avg(e.execution_time_ms)::float8 FROM (
                     SELECT b.execution_time_ms
                     FROM (SELECT * FROM jobs WHERE submitted_by = a.submitted_by AND id < a.id
                           ORDER BY id DESC LIMIT $3) AS b
                     WHERE b.execution_time_ms IS NOT NULL AND b.job_type = a.job_type
                     ORDER BY b.id DESC LIMIT 20
                 ) AS e) AS usual_ms
         FROM asked a WHERE (SELECT count(*) FROM open) < $2",
    )
    .bind(job_id.uuid())
    .bind(LONGEST_LINE)
    .bind(LOOKED_THROUGH)
    .fetch_optional(pool)
    .await
}
