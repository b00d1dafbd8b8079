//! The reconciler: makes the queue agree with the log. It hands out attempts whose time has come, finds those that a
//! wiped queue has lost, and takes attempts from workers that died.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::JobId,
};
use workroom_projections::jobs::{self, Due};

use super::lease;
use crate::{
    application::{App, Context, Error, jobs::InterruptAttempt},
    background::{self, Activation, Task},
    clock::now,
    messaging::Messaging,
    relay::{JobMessage, publish_job},
};

/// The relay hands out what is due at once; what is still waiting after this long may have been lost.
const OVERDUE_SECONDS: f64 = 2.0;
/// An attempt that was handed out and may have been lost is handed out again after this long.
const AGAIN: Duration = Duration::from_secs(10);
const BATCH: i64 = 500;

/// Makes the queue agree with the log.
pub struct Reconciler {
    app: App,
    messaging: Messaging,
    stream: String,
}

impl Reconciler {
    /// A reconciler of the queue of this name.
    pub fn new(app: App, messaging: Messaging, stream: &str) -> Self {
        Self { app, messaging, stream: stream.to_owned() }
    }

    /// Returns how many attempts were taken from workers that died.
    async fn take_from_the_lost(&self, context: &background::Context) -> Result<u32, Error> {
        let mut taken = 0;
        for Due { id, attempt } in jobs::running(self.app.pool(), lease::TERM.as_secs_f64(), BATCH).await? {
            if !context.may_go_on() {
                break;
            }
            let attempt = u32::try_from(attempt).map_err(Error::failure)?;
            tracing::warn!(job_id = %id, attempt, "a job has lost its worker");
            let context = Context::new(Actor::System(SystemActor::Reconciler), Uuid::now_v7());
            let interrupt = InterruptAttempt { job_id: JobId(id), attempt, retry_at: now() };
            match self.app.run(&context, &interrupt).await {
                Ok(_) => taken += 1,
                // It has ended after all.
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                // One job that cannot be helped must not keep help from the others.
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, job_id = %id, "a lost job is stuck");
                }
            }
        }
        Ok(taken)
    }

    /// Returns how many attempts were handed out.
    async fn hand_out(&self, context: &background::Context) -> anyhow::Result<u32> {
        let pool = self.app.pool();
        let due = jobs::count_due(pool).await?;
        if due == 0 {
            return Ok(0);
        }
        let mut stream = self.messaging.jetstream().get_stream(&self.stream).await?;
        let queued = i64::try_from(stream.info().await?.state.messages)?;
        // As long as the queue holds as much as is due, whatever was handed out before is waiting there.
        let again_before = if queued < due { now() - AGAIN } else { time::OffsetDateTime::UNIX_EPOCH };
        let waiting = jobs::due(pool, OVERDUE_SECONDS, again_before, BATCH).await?;
        let mut handed_out = 0;
        for Due { id, attempt } in waiting {
            if !context.may_go_on() {
                break;
            }
            let attempt = attempt + 1;
            let again = dispatched_before(pool, id, attempt).await?;
            let suffix = again.then(|| Uuid::now_v7().to_string());
            let message = JobMessage { job_id: id, attempt: u32::try_from(attempt)? };
            publish_job(self.messaging.jetstream(), "code_execution", message, suffix.as_deref()).await?;
            note_dispatch(pool, id, attempt).await?;
            handed_out += 1;
        }
        Ok(handed_out)
    }
}

impl Task for Reconciler {
    async fn activate(&mut self, context: &background::Context) -> anyhow::Result<Activation> {
        let taken = self.take_from_the_lost(context).await?;
        let handed_out = self.hand_out(context).await?;
        Ok(Activation::did(json!({"taken_from_lost_workers": taken, "handed_out": handed_out})))
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
