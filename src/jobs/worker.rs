//! The worker: takes attempts from the queue and runs them.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    self, AckKind,
    consumer::{Consumer, pull},
};
use futures::StreamExt;
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use workroom_domain::refusal::{CONTENDED, Kind};
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::JobId,
    job::{self, JobState, Work},
};

use super::{
    lease::Lease,
    sandbox::{self, Execution, Sandbox},
};
use crate::{
    application::{
        App, Context, Error,
        jobs::{FinishAttempt, InterruptAttempt, StartAttempt},
    },
    background::caught,
    backoff::{self, Backoff},
    clock::now,
    messaging::Messaging,
    relay::{JobMessage, WORKERS},
};

const PULL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);
const REDELIVERY: Duration = Duration::from_secs(1);
/// Longest pause before a failed program is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// Runs attempts, several at a time.
#[derive(Clone)]
pub struct Worker {
    app: App,
    messaging: Messaging,
    stream: Arc<str>,
    sandbox: Sandbox,
    worker_id: Uuid,
}

/// A queue or a database that does not do its part; try again later.
type WorkError = Box<dyn std::error::Error + Send + Sync>;

impl Worker {
    /// A worker on the queue of this name.
    pub fn new(app: App, messaging: Messaging, stream: &str, sandbox: Sandbox) -> Self {
        Self { app, messaging, stream: stream.into(), sandbox, worker_id: Uuid::now_v7() }
    }

    /// Runs `slots` attempts at a time until told to stop. Programs that run then are stopped, and their jobs go to
    /// other workers.
    pub async fn run(self, slots: usize, shutdown: CancellationToken) {
        let tracker = TaskTracker::new();
        for _ in 0..slots.max(1) {
            tracker.spawn(self.clone().slot(shutdown.clone()));
        }
        tracker.close();
        tracker.wait().await;
    }

    async fn slot(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            // A panic over one job is that job's; the slot takes others.
            let worked = caught(Box::pin(self.work(&shutdown))).await.unwrap_or_else(|panic| {
                tracing::error!(error = panic.as_ref() as &dyn std::error::Error, "a slot of the worker failed");
                Err(panic.into())
            });
            if let Err(error) = worked {
                tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "the job queue is not available");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }

    async fn work(&self, shutdown: &CancellationToken) -> Result<(), WorkError> {
        let consumer = tokio::select! {
            consumer = self.consumer() => consumer?,
            () = shutdown.cancelled() => return Ok(()),
        };
        while !shutdown.is_cancelled() {
            let message = tokio::select! {
                message = next(&consumer) => message?,
                () = shutdown.cancelled() => return Ok(()),
            };
            if let Some(message) = message {
                self.take(message, shutdown).await?;
            }
        }
        Ok(())
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, WorkError> {
        // The relay makes both.
        Ok(self.messaging.jetstream().get_consumer_from_stream(WORKERS, &*self.stream).await?)
    }

    async fn take(&self, message: jetstream::Message, shutdown: &CancellationToken) -> Result<(), WorkError> {
        let Ok(JobMessage { job_id, attempt }) = serde_json::from_slice(&message.payload) else {
            tracing::warn!("a job message does not read and is dropped");
            message.ack_with(AckKind::Term).await?;
            return Ok(());
        };
        let job_id = JobId(job_id);
        let start = StartAttempt { job_id, attempt, worker_id: self.worker_id };
        match self.app.run(&context(), &start).await {
            Ok(started) => {
                // From here on the log and the lease answer for the attempt; the queue has done its part.
                message.ack().await.ok();
                self.attempt(job_id, attempt, &started.reply, shutdown).await;
                Ok(())
            }
            Err(error) if is_over(&error) => {
                tracing::debug!(%job_id, attempt, "the attempt is another worker's, or over");
                message.ack().await?;
                Ok(())
            }
            Err(error) => {
                message.ack_with(AckKind::Nak(Some(REDELIVERY))).await?;
                Err(error.into())
            }
        }
    }

    async fn attempt(&self, job_id: JobId, attempt: u32, job: &JobState, shutdown: &CancellationToken) {
        let pool = self.app.pool();
        let lease = Lease { job_id, attempt: i32::try_from(attempt).unwrap_or(i32::MAX), worker_id: self.worker_id };
        match lease.hold(pool).await {
            Ok(true) => {}
            Ok(false) => return,
            // The next renewal makes it good.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a lease could not be taken"),
        }
        let Work::CodeExecution { language, code, stdin, timeout_seconds } = &job.work;
        let execution = Execution {
            language: to_sandbox(*language),
            code: code.as_str().to_owned(),
            stdin: stdin.as_ref().map(|stdin| stdin.as_str().to_owned()),
            timeout: Duration::from_secs(timeout_seconds.seconds().into()),
        };
        let stopped = shutdown.clone();
        let run = self.sandbox.run(execution, async move { stopped.cancelled().await });
        // The lease is kept until the log has the outcome: reporting may take a while when the database is away.
        let done = async { self.report(job_id, attempt, run.await).await };
        if lease.keep(pool, done).await.is_none() {
            tracing::warn!(%job_id, attempt, "the attempt was taken away; its program is stopped");
            return;
        }
        if let Err(error) = lease.release(pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a lease could not be released");
        }
    }

    async fn report(&self, job_id: JobId, attempt: u32, outcome: Result<sandbox::Outcome, sandbox::SandboxError>) {
        let outcome = match outcome {
            Ok(outcome) if !outcome.cancelled => outcome,
            Ok(_) => return self.interrupt(job_id, attempt).await,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, %job_id, attempt, "the sandbox failed");
                return self.interrupt(job_id, attempt).await;
            }
        };
        let finish = FinishAttempt {
            job_id,
            attempt,
            outcome: job::Outcome {
                exit_code: outcome.exit_code,
                execution_time_ms: u64::try_from(outcome.execution_time.as_millis()).unwrap_or(u64::MAX),
                truncated: outcome.truncated,
                limit_hit: outcome.limit_hit.map(from_sandbox),
            },
            retry_at: now() + backoff::pause(attempt, LONGEST_BACKOFF),
        };
        self.until_reported(|| async {
            // The output first: whoever sees the end of the job must find what it printed.
            store_output(self.app.pool(), job_id, attempt, &outcome).await?;
            self.app.run(&context(), &finish).await.map(drop)
        })
        .await;
    }

    async fn interrupt(&self, job_id: JobId, attempt: u32) {
        let interrupt = InterruptAttempt { job_id, attempt, retry_at: now() };
        self.until_reported(|| async { self.app.run(&context(), &interrupt).await.map(drop) }).await;
    }

    /// Reports until the log has it, or refuses it because the attempt is no longer this worker's. Should the database
    /// stay away, the lease ends, and the reconciler gives the attempt to another.
    async fn until_reported<F: Future<Output = Result<(), Error>>>(&self, attempt: impl Fn() -> F) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for _ in 0..20 {
            match attempt().await {
                Ok(()) => return,
                Err(error) if is_over(&error) => {
                    tracing::info!(%error, "an attempt's outcome came too late");
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "an outcome could not be reported yet");
                    tokio::time::sleep(backoff.pause()).await;
                }
            }
        }
    }
}

/// Each attempt is its own story.
fn context() -> Context {
    Context::new(Actor::System(SystemActor::Worker), Uuid::now_v7())
}

async fn next(consumer: &Consumer<pull::Config>) -> Result<Option<jetstream::Message>, WorkError> {
    let mut batch = consumer.batch().max_messages(1).expires(PULL).messages().await?;
    batch.next().await.transpose()
}

/// Stores what a program printed, while its attempt is the one that runs.
async fn store_output(pool: &PgPool, job_id: JobId, attempt: u32, outcome: &sandbox::Outcome) -> Result<(), Error> {
    let is_stored: bool = sqlx::query_scalar("SELECT store_job_output($1, $2, $3, $4)")
        .bind(Uuid::from(job_id))
        .bind(i32::try_from(attempt).unwrap_or(i32::MAX))
        .bind(&outcome.stdout)
        .bind(&outcome.stderr)
        .fetch_one(pool)
        .await?;
    if is_stored { Ok(()) } else { Err(Error::refused(CONTENDED, "the attempt does not run")) }
}

/// The sandbox's name for a language.
pub fn to_sandbox(language: job::Language) -> sandbox::Language {
    match language {
        job::Language::Python => sandbox::Language::Python,
        job::Language::Javascript => sandbox::Language::Javascript,
        job::Language::Bash => sandbox::Language::Bash,
    }
}

fn from_sandbox(limit: sandbox::LimitHit) -> job::LimitHit {
    match limit {
        sandbox::LimitHit::Timeout => job::LimitHit::Timeout,
        sandbox::LimitHit::Memory => job::LimitHit::Memory,
        sandbox::LimitHit::Processes => job::LimitHit::Processes,
    }
}

/// Whether the attempt is another worker's by now, or its job over.
fn is_over(error: &Error) -> bool {
    matches!(error.kind(), Kind::Conflict | Kind::NotFound)
}
