//! What the service does: one file a command, and the loop that runs them.
//!
//! A [`Command`] reads aggregates through a [`Unit`], asks for the right it needs, decides, and says what to reply.
//! [`App::run`] drives it: append what it decided, guarded by everything it read; when any of that has moved, decide
//! anew; once committed, wait until the read models show it, and reply (laws 1, 5, 9).
//!
//! To add a command: a file under the noun's folder with a struct and its `impl Command`; nothing else to register.

pub mod accounts;
mod all;
pub mod audit;
pub mod codes;
pub mod comments;
mod context;
mod error;
pub mod files;
mod idempotency;
pub mod invitations;
pub mod job_rules;
pub mod jobs;
pub mod members;
pub mod organizations;
pub mod people;
mod precondition;
pub mod projects;
pub mod reactor;
pub mod reading;
pub mod redaction;
mod run;
pub mod schedules;
mod tables;
pub mod tasks;
mod unit;
mod views;
pub mod webhooks;
pub mod workspaces;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::Mutex;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{Job, JobState},
};
use workroom_projections::{history::Cause, progress::Progress};

pub use all::all;
pub use context::Context;
pub use error::{Error, Refused, Violation, at_pointer};
pub use idempotency::{Answer, IdempotencyKey, Rendered};
pub use people::EmailProof;
pub use precondition::IfVersion;
pub use run::{Command, Done};
pub use tables::{At, Bytea, Change, Refusal, TableChange};
pub use unit::Unit;

use crate::{event_store::EventLog, log_tree::Trees};

/// How long a reply waits for the read models before it goes out with a note that they are behind.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);
/// Locks that keep this process' own commands on one aggregate from racing each other. A collision only costs time.
const COMMAND_LOCKS: usize = 4096;
/// Things whose creation is remembered: it never changes, and replies about them tell it.
const CREATIONS: u64 = 20_000;

/// The application: what handlers call. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// What the application's commands share.
pub struct Inner {
    pool: PgPool,
    log: EventLog,
    progress: Progress,
    command_locks: Box<[Mutex<()>]>,
    in_flight: idempotency::InFlight,
    creations: moka::sync::Cache<(&'static str, Uuid), Cause>,
    email_proof: EmailProof,
    trees: Trees,
    redacted: redaction::Streams,
}

impl App {
    /// Over a database, its log, and what is known of its views.
    pub fn new(pool: PgPool, log: EventLog, progress: Progress, email_proof: EmailProof) -> Self {
        let command_locks = (0..COMMAND_LOCKS).map(|_| Mutex::new(())).collect();
        let creations = moka::sync::Cache::new(CREATIONS);
        let in_flight = idempotency::InFlight::default();
        let (trees, redacted) = (Trees::new(pool.clone()), redaction::Streams::default());
        let inner = Inner { pool, log, progress, command_locks, in_flight, creations, email_proof, trees, redacted };
        Self { inner: Arc::new(inner) }
    }

    /// The database, for queries.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The event log.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The trees over the log.
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// What is known of a job, from the log.
    ///
    /// # Errors
    /// The database's; there is no such job.
    pub async fn job(&self, job_id: JobId) -> Result<JobState, Error> {
        let job = self.log.reload::<Job>(job_id.into()).await?;
        Ok(job.state.requested()?.clone())
    }

    /// How far the views are.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Waits until the views show everything up to `position`; `false` when they do not in time.
    pub async fn visible(&self, position: i64) -> bool {
        self.progress.reached(position, tokio::time::Instant::now() + VISIBILITY_TIMEOUT).await
    }
}
