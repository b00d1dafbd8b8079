//! The reconciler: makes the queue agree with the log. It hands out attempts whose time has come, finds those that a
//! wiped queue has lost, and takes attempts from workers that died.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::JobId,
};
use workroom_projections::{
    jobs::{self, Due},
    leader::{Election, Term},
};

use super::lease;
use crate::clock::now;
use crate::{
    application::{App, Context, Error, jobs::InterruptAttempt},
    event_store::{receipts, snapshot},
    messaging::Messaging,
    relay::{JobMessage, publish_job},
};

const INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);
/// The relay hands out what is due at once; what is still waiting after this long may have been lost.
const OVERDUE_SECONDS: f64 = 2.0;
/// An attempt that was handed out and may have been lost is handed out again after this long.
const AGAIN: Duration = Duration::from_secs(10);
const BATCH: i64 = 500;
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes the queue agree with the log.
pub struct Reconciler {
    app: App,
    messaging: Messaging,
    stream: String,
    /// How to connect for what belongs to one session.
    options: PgConnectOptions,
    election: Election,
}

impl Reconciler {
    /// A reconciler of the queue of this name, which leads by a connection of its own made with `options`.
    pub fn new(app: App, messaging: Messaging, stream: &str, options: PgConnectOptions, election: Election) -> Self {
        Self { app, messaging, stream: stream.to_owned(), options, election }
    }

    /// Runs until told to stop. Any number may run: one at a time does the work.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.lead(&shutdown).await {
                tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "the reconciler does not lead");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Waits until it leads, then works until another does, or it is told to stop.
    async fn lead(&self, shutdown: &CancellationToken) -> Result<(), Failure> {
        let mut connection =
            tokio::time::timeout(PATIENCE, workroom_projections::session::begin(&self.options)).await??;
        let term = tokio::select! {
            term = self.election.win(&mut connection, "reconciler") => term?,
            () = shutdown.cancelled() => return Ok(()),
        };
        let mut swept: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
            // It leads as long as its session lasts.
            tokio::time::timeout(PATIENCE, sqlx::query("SELECT 1").execute(&mut connection)).await??;
            if !term.goes_on() {
                return Ok(());
            }
            if let Err(error) = self.pass(&term).await {
                tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "jobs could not be reconciled");
            }
            if swept.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL) {
                swept = Some(tokio::time::Instant::now());
                self.sweep().await;
            }
        }
    }

    async fn sweep(&self) {
        for (what, swept) in [
            ("receipts", receipts::sweep(self.app.pool()).await.map(drop)),
            ("leases", lease::sweep(self.app.pool()).await),
            ("dispatches", lease::sweep_dispatches(self.app.pool()).await),
            ("snapshots", snapshot::sweep(self.app.pool()).await),
        ] {
            if let Err(error) = swept {
                tracing::warn!(error = &error as &dyn std::error::Error, "old {what} could not be deleted");
            }
        }
    }

    async fn pass(&self, term: &Term) -> Result<(), Failure> {
        self.take_from_the_lost(term).await?;
        self.hand_out(term).await
    }

    async fn take_from_the_lost(&self, term: &Term) -> Result<(), Error> {
        for Due { id, attempt } in jobs::running(self.app.pool(), lease::TERM.as_secs_f64(), BATCH).await? {
            if !term.goes_on() {
                return Ok(());
            }
            let attempt = u32::try_from(attempt).map_err(Error::failure)?;
            tracing::warn!(job_id = %id, attempt, "a job has lost its worker");
            let context = Context::new(Actor::System(SystemActor::Reconciler), Uuid::now_v7());
            let interrupt = InterruptAttempt { job_id: JobId(id), attempt, retry_at: now() };
            match self.app.run(&context, &interrupt).await {
                // It has ended after all.
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                // One job that cannot be helped must not keep help from the others.
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, job_id = %id, "a lost job is stuck");
                }
            }
        }
        Ok(())
    }

    async fn hand_out(&self, term: &Term) -> Result<(), Failure> {
        let pool = self.app.pool();
        let due = jobs::count_due(pool).await?;
        if due == 0 {
            return Ok(());
        }
        let mut stream = self.messaging.jetstream().get_stream(&self.stream).await?;
        let queued = i64::try_from(stream.info().await?.state.messages)?;
        // As long as the queue holds as much as is due, whatever was handed out before is waiting there.
        let again_before = if queued < due { now() - AGAIN } else { time::OffsetDateTime::UNIX_EPOCH };
        let waiting = jobs::due(pool, OVERDUE_SECONDS, again_before, BATCH).await?;
        for Due { id, attempt } in waiting {
            if !term.goes_on() {
                return Ok(());
            }
            let attempt = attempt + 1;
            let again = dispatched_before(pool, id, attempt).await?;
            let suffix = again.then(|| Uuid::now_v7().to_string());
            let message = JobMessage { job_id: id, attempt: u32::try_from(attempt)? };
            publish_job(self.messaging.jetstream(), "code_execution", message, suffix.as_deref()).await?;
            note_dispatch(pool, id, attempt).await?;
        }
        Ok(())
    }
}

async fn dispatched_before(pool: &PgPool, job_id: Uuid, attempt: i32) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM job_dispatches WHERE job_id = $1 AND attempt = $2)")
        .bind(job_id)
        .bind(attempt)
        .fetch_one(pool)
        .await
}

async fn note_dispatch(pool: &PgPool, job_id: Uuid, attempt: i32) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO job_dispatches (job_id, attempt, dispatched_at) VALUES ($1, $2, now())
         ON CONFLICT (job_id) DO UPDATE SET (attempt, dispatched_at) = (excluded.attempt, excluded.dispatched_at)",
    )
    .bind(job_id)
    .bind(attempt)
    .execute(pool)
    .await
    .map(drop)
}
