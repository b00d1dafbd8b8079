//! What became of jobs, as the log tells: when, how often, and whether each of them ended once.

use anyhow::{Context, ensure};
use sqlx::PgPool;
use workroom_dev::services::Services;

/// The log, as the superuser of Postgres reads it.
pub struct Log {
    pool: PgPool,
}

/// What became of one job. Times are microseconds since 1970.
pub struct Life {
    pub job_id: String,
    pub requested: i64,
    /// When it was to be done, where that was asked for.
    pub run_at: Option<i64>,
    /// When its first attempt was started.
    pub started: i64,
    /// When its latest attempt was started.
    pub restarted: i64,
    pub starts: i64,
    /// When it succeeded.
    pub succeeded: Option<i64>,
}

type Row = (String, Option<i64>, Option<i64>, Option<i64>, Option<i64>, i64, Option<i64>);

const LIVES: &str = "SELECT aggregate_id,
        (extract(epoch FROM min(recorded_at) FILTER (WHERE event_type = 'JobRequested')) * 1000000)::bigint,
        (extract(epoch FROM min((payload->>'run_at')::timestamptz)) * 1000000)::bigint,
        (extract(epoch FROM min(recorded_at) FILTER (WHERE event_type = 'JobStarted')) * 1000000)::bigint,
        (extract(epoch FROM max(recorded_at) FILTER (WHERE event_type = 'JobStarted')) * 1000000)::bigint,
        count(*) FILTER (WHERE event_type = 'JobStarted'),
        (extract(epoch FROM min(recorded_at) FILTER (WHERE event_type = 'JobSucceeded')) * 1000000)::bigint
    FROM events WHERE aggregate_type = 'job' AND position > $1 GROUP BY aggregate_id";

/// How many were asked for, how many of all have not ended, and how many have ended more than once.
const ENDS: &str = "SELECT count(*) FILTER (WHERE is_requested),
        count(*) FILTER (WHERE ends = 0),
        count(*) FILTER (WHERE ends > 1)
    FROM (
        SELECT bool_or(event_type = 'JobRequested') AS is_requested,
               count(*) FILTER (WHERE event_type IN ('JobSucceeded', 'JobDeadLettered', 'JobCancelled')) AS ends
        FROM events WHERE aggregate_type = 'job' GROUP BY aggregate_id
    ) AS job";

/// Whether the views show the end of the log, and no job there waits or runs.
const IS_SETTLED: &str = "SELECT NOT EXISTS (SELECT FROM views.jobs WHERE status IN ('pending', 'running'))
    AND COALESCE((SELECT position FROM projection_checkpoints WHERE projection_group = 'jobs'), 0)
        >= COALESCE((SELECT max(position) FROM events), 0)";

impl Log {
    /// Opens it.
    ///
    /// # Errors
    /// Postgres is not the benchmark's own, or does not answer.
    pub async fn connect(services: &Services) -> anyhow::Result<Self> {
        let postgres = services.postgres().context("the benchmark has a Postgres of its own")?;
        Ok(Self { pool: PgPool::connect(&postgres.admin_url()).await? })
    }

    /// How far it is.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn head(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT COALESCE(max(position), 0) FROM events").fetch_one(&self.pool).await?)
    }

    /// Whether no job waits or runs, and the views show it.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn is_settled(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query_scalar(IS_SETTLED).fetch_one(&self.pool).await?)
    }

    /// The jobs that were asked for behind a position. Each must have been started.
    ///
    /// # Errors
    /// One was not, or was not asked for.
    pub async fn lives(&self, after: i64) -> anyhow::Result<Vec<Life>> {
        let rows: Vec<Row> = sqlx::query_as(LIVES).bind(after).fetch_all(&self.pool).await?;
        let lives = rows.into_iter().map(|(job_id, requested, run_at, started, restarted, starts, succeeded)| {
            let requested = requested.with_context(|| format!("job {job_id} was not asked for"))?;
            let (started, restarted) =
                started.zip(restarted).with_context(|| format!("job {job_id} was never started"))?;
            anyhow::Ok(Life { job_id, requested, run_at, started, restarted, starts, succeeded })
        });
        lives.collect()
    }

    /// How often attempts were started behind a position.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn starts(&self, after: i64) -> anyhow::Result<i64> {
        let count = "SELECT count(*) FROM events WHERE event_type = 'JobStarted' AND position > $1";
        Ok(sqlx::query_scalar(count).bind(after).fetch_one(&self.pool).await?)
    }

    /// How many processes are known to run programs.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn workers(&self) -> anyhow::Result<i64> {
        let count = "SELECT count(*) FROM workers WHERE sandbox_slots > 0";
        Ok(sqlx::query_scalar(count).fetch_one(&self.pool).await?)
    }

    /// Looks whether each job has ended, and none has twice.
    ///
    /// # Errors
    /// One has not, or has.
    pub async fn check(&self, submitted: usize) -> anyhow::Result<()> {
        let (requested, open, twice): (i64, i64, i64) = sqlx::query_as(ENDS).fetch_one(&self.pool).await?;
        let lost = i64::try_from(submitted)? - requested;
        ensure!(lost <= 0 && open == 0, "of {submitted} jobs {} are lost", lost.max(0) + open);
        ensure!(twice == 0, "of {submitted} jobs {twice} have ended twice");
        Ok(())
    }

    /// Makes a database on the same server.
    ///
    /// # Errors
    /// It is refused.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<()> {
        let create = format!("CREATE DATABASE {name} OWNER workroom_owner");
        sqlx::query(&create).execute(&self.pool).await?;
        Ok(())
    }

    /// Ends the sessions.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Life {
    /// From one moment to another, in microseconds; nothing where the second is the earlier one.
    ///
    /// # Errors
    /// More than an hour.
    pub fn between(from: i64, to: i64) -> anyhow::Result<u32> {
        Ok(u32::try_from((to - from).max(0))?)
    }

    /// How long it ran until it succeeded, in microseconds.
    ///
    /// # Errors
    /// It did not.
    pub fn ran(&self) -> anyhow::Result<u32> {
        Self::between(self.started, self.succeeded.with_context(|| format!("job {} did not succeed", self.job_id))?)
    }
}
