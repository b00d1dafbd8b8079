//! Leases: a worker's claim on the attempt it runs, renewed while it does. A claim past its time means a lost worker.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::ids::JobId;

use crate::background::while_renewed;

/// How long a claim holds without being renewed.
pub const TERM: Duration = Duration::from_secs(10);
/// How often it is renewed.
pub const RENEWAL: Duration = Duration::from_secs(3);

/// A claim on an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Id of the job; a job has one lease at most.
    pub job_id: JobId,
    /// Number of the attempt, from 1; the lease of a later attempt replaces it.
    pub attempt: i32,
    /// Whose claim it is.
    pub worker_id: Uuid,
}

impl Lease {
    /// Makes the claim, or renews it; `false` when somebody else has a later attempt by now, or the job was cancelled. Only who has started the
    /// attempt in the log does so.
    pub async fn hold(&self, pool: &PgPool) -> Result<bool, sqlx::Error> {
        let held = sqlx::query(
            "INSERT INTO job_leases AS l (job_id, attempt, worker_id, expires_at)
             VALUES ($1, $2, $3, now() + make_interval(secs => $4))
             ON CONFLICT (job_id) DO UPDATE
                 SET (attempt, worker_id, expires_at) = (excluded.attempt, excluded.worker_id, excluded.expires_at)
                 WHERE l.attempt < excluded.attempt
                    OR (l.attempt = excluded.attempt AND l.worker_id = excluded.worker_id)",
        )
        .bind(Uuid::from(self.job_id))
        .bind(self.attempt)
        .bind(self.worker_id)
        .bind(TERM.as_secs_f64())
        .execute(pool)
        .await?;
        Ok(held.rows_affected() == 1)
    }

    /// Gives the claim up.
    pub async fn release(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM job_leases WHERE job_id = $1 AND attempt = $2 AND worker_id = $3")
            .bind(Uuid::from(self.job_id))
            .bind(self.attempt)
            .bind(self.worker_id)
            .execute(pool)
            .await
            .map(drop)
    }

    /// Does `work` and keeps the claim alive meanwhile; `None` once somebody else has the job. A database that is away for a
    /// moment is no reason to stop: the log will tell whose the attempt was.
    pub async fn keep<T>(&self, pool: &PgPool, work: impl Future<Output = T> + Send) -> Option<T> {
        while_renewed(RENEWAL, || self.hold(pool), work).await
    }
}
