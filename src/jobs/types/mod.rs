//! What jobs do, by type: one file each.

mod code_execution;
mod email;
mod job_control;
mod noop;
mod project_export;
mod webhook_delivery;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{JobState, Outcome},
};

use super::{Pool, sandbox::Sandbox, webhook::Destinations, worker::Output};
use crate::{
    application::{App, jobs::OpenJobs},
    backoff,
};

/// Longest pause before a failed job is tried again, where its type says nothing else.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// An attempt that runs.
pub struct Attempt {
    /// The service.
    pub app: App,
    /// The job.
    pub job_id: JobId,
    /// What is known of the job.
    pub job: JobState,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Who runs it.
    pub worker_id: Uuid,
    /// Bytes that are kept of what jobs of its owner print and leave; 0 is as many as there are.
    pub storage_quota: i64,
    /// Cancelled when the attempt is to end: its worker stops, or the job was cancelled.
    pub stop: CancellationToken,
    /// Takes what it prints, and how far it is.
    pub output: Output,
}

impl Attempt {
    /// Tells that so many are done of all.
    fn tell(&self, done: u64, all: u64, message: &str) {
        #[allow(clippy::cast_precision_loss, reason = "it is for showing")]
        let percent = if all == 0 { 100.0 } else { done.min(all) as f64 * 100.0 / all as f64 };
        self.output.tell(percent, message);
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum Ended {
    /// The work is done.
    Succeeded(Outcome),
    /// The work is not done. It is tried again if attempts are left.
    Failed(Outcome),
    /// The work is not done, and another attempt would end the same.
    Hopeless(Outcome),
    /// It came too early.
    Snoozed {
        /// When to try again.
        until: OffsetDateTime,
    },
    /// It was stopped before it was done.
    Stopped,
}

/// The worker could not do its part: the attempt counts for nothing.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A type of jobs.
pub trait JobType: Send + Sync + 'static {
    /// Its name in the API.
    fn name(&self) -> &'static str;

    /// Does the work once. It may be done again after this: after an interruption, the work of an attempt is done a second time, so it
    /// has to be such that this does no harm.
    ///
    /// # Errors
    /// What is no fault of the job.
    fn run(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>>;

    /// How long to wait after the first of so many failures more, before the next attempt.
    fn pause_after(&self, failures: u32) -> Duration {
        backoff::full_jitter(failures, LONGEST_PAUSE)
    }
}

/// The types that a process runs, by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Types(Arc<BTreeMap<&'static str, Box<dyn JobType>>>);

impl Types {
    /// All types: those of the pool `sandbox` where there is a sandbox; those of the pool `service` where it is said where webhooks
    /// may send events to. `open` says how many jobs may wait.
    pub fn new(sandbox: Option<&Sandbox>, service: Option<Destinations>, open: &OpenJobs) -> Self {
        let mut types: Vec<Box<dyn JobType>> = Vec::new();
        if let Some(sandbox) = sandbox {
            types.push(Box::new(code_execution::CodeExecution(sandbox.clone())));
        }
        if let Some(destinations) = service {
            types.push(Box::new(noop::Noop));
            types.push(Box::new(email::Email));
            types.push(Box::new(project_export::ProjectExport));
            types.push(Box::new(job_control::JobControl { open: open.clone() }));
            types.push(Box::new(webhook_delivery::WebhookDelivery::new(destinations)));
        }
        Self(Arc::new(types.into_iter().map(|job_type| (job_type.name(), job_type)).collect()))
    }

    /// The type of this name.
    pub fn find(&self, name: &str) -> Option<&dyn JobType> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// Whether there is any type of this pool.
    pub fn serves(&self, pool: Pool) -> bool {
        self.0.keys().any(|name| Pool::of(name) == pool)
    }
}
