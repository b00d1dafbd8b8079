//! What lost workers ran is interrupted in the log.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::JobId,
    job::Interruption,
    refusal::Kind,
};
use workroom_projections::describe::describe;

use super::{
    book::Held,
    lead::{DispatchError, answer},
};
use crate::{
    application::{
        App, Context, Error,
        jobs::{Progress, Report},
    },
    backoff,
    clock::now,
};

/// Reports that are made at a time.
const REPORTS: usize = 256;
/// The longest pause before a job that has lost its worker several times is handed out again.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// When a report is made again that has failed by itself.
const AGAIN: Duration = Duration::from_mins(1);

/// Interrupts what lost workers ran. What cannot be interrupted keeps nobody else waiting.
#[derive(Default)]
pub(super) struct Interrupter {
    /// Attempts whose reports fail, and when they are made again.
    failing: HashMap<(Uuid, u32), Instant>,
}

impl Interrupter {
    /// What a lost worker ran is interrupted.
    pub(super) async fn interrupt(&mut self, app: &App, worker_id: Uuid, held: Vec<Held>) -> Result<(), DispatchError> {
        let begun = Instant::now();
        self.failing.retain(|_, again| *again > begun);
        let held: Vec<_> = held.into_iter().filter(|held| !self.failing.contains_key(&key(held))).collect();
        if held.is_empty() {
            return Ok(());
        }
        tracing::warn!(%worker_id, jobs = held.len(), "jobs have lost their worker");
        let mut failed = HashSet::new();
        for held in held.chunks(REPORTS) {
            match record(app, held).await {
                Err(DispatchError::App(error)) if fails_by_itself(&error) => {
                    for one in held {
                        interrupt_one(app, one, &mut failed).await?;
                    }
                }
                recorded => recorded?,
            }
        }
        self.failing.extend(failed.into_iter().map(|key| (key, Instant::now() + AGAIN)));
        Ok(())
    }
}

async fn interrupt_one(app: &App, held: &Held, failed: &mut HashSet<(Uuid, u32)>) -> Result<(), DispatchError> {
    match record(app, std::slice::from_ref(held)).await {
        Err(DispatchError::App(error)) if fails_by_itself(&error) => {
            let reason = describe(&error);
            tracing::error!(job_id = %held.job_id, attempt = held.attempt, reason, "a job cannot be interrupted");
            failed.insert(key(held));
            Ok(())
        }
        recorded => recorded,
    }
}

fn key(held: &Held) -> (Uuid, u32) {
    (held.job_id, held.attempt)
}

/// Whether it is about what was to be recorded, and not about the state of the machine.
fn fails_by_itself(error: &Error) -> bool {
    !matches!(error.kind(), Kind::Unavailable | Kind::Throttled)
}

async fn record(app: &App, held: &[Held]) -> Result<(), DispatchError> {
    let reports: Vec<Report> = held.iter().map(interrupted).collect();
    let context = Context::new(Actor::System(SystemActor::Dispatcher), Uuid::now_v7());
    // What is refused has ended after all.
    answer(app.record_attempts(&context, &reports)).await.map(drop)
}

/// The attempt is taken from its worker: at first it is due at once, later after a pause, for it may be why workers
/// die.
fn interrupted(held: &Held) -> Report {
    let pause = if held.losses == 0 { Duration::ZERO } else { backoff::pause(held.losses, LONGEST_PAUSE) };
    let progress = Progress::Interrupted { cause: Interruption::WorkerLost, retry_at: now() + pause };
    Report { job_id: JobId(held.job_id), attempt: held.attempt, progress }
}
