//! What lost workers ran is interrupted in the log.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
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

/// Records reports together: nothing of it, or all.
type Log<'a> = &'a (dyn Fn(Vec<Report>) -> BoxFuture<'static, Result<(), Error>> + Send + Sync);

/// Interrupts what lost workers ran. What cannot be interrupted keeps nobody else waiting.
#[derive(Default)]
pub(super) struct Interrupter {
    /// Attempts whose reports fail, and when they are made again.
    failing: HashMap<(Uuid, u32), Instant>,
}

impl Interrupter {
    /// What a lost worker ran is interrupted.
    pub(super) async fn interrupt(&mut self, app: &App, worker_id: Uuid, held: Vec<Held>) -> Result<(), DispatchError> {
        let log = |reports: Vec<Report>| {
            let app = app.clone();
            async move {
                let context = Context::new(Actor::System(SystemActor::Dispatcher), Uuid::now_v7());
                // What is refused has ended after all.
                app.record_attempts(&context, &reports).await.map(drop)
            }
            .boxed()
        };
        self.interrupt_in(&log, worker_id, held).await
    }

    async fn interrupt_in(&mut self, log: Log<'_>, worker_id: Uuid, held: Vec<Held>) -> Result<(), DispatchError> {
        let begun = Instant::now();
        self.failing.retain(|_, again| *again > begun);
        let held: Vec<_> = held.into_iter().filter(|held| !self.failing.contains_key(&key(held))).collect();
        if held.is_empty() {
            return Ok(());
        }
        tracing::warn!(%worker_id, jobs = held.len(), "jobs have lost their worker");
        let mut failed = HashSet::new();
        for held in held.chunks(REPORTS) {
            match record(log, held).await {
                Err(DispatchError::App(error)) if fails_by_itself(&error) => {
                    for one in held {
                        interrupt_one(log, one, &mut failed).await?;
                    }
                }
                recorded => recorded?,
            }
        }
        self.failing.extend(failed.into_iter().map(|key| (key, Instant::now() + AGAIN)));
        Ok(())
    }
}

async fn interrupt_one(log: Log<'_>, held: &Held, failed: &mut HashSet<(Uuid, u32)>) -> Result<(), DispatchError> {
    match record(log, std::slice::from_ref(held)).await {
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

async fn record(log: Log<'_>, held: &[Held]) -> Result<(), DispatchError> {
    answer(log(held.iter().map(interrupted).collect())).await
}

/// The attempt is taken from its worker: at first it is due at once, later after a pause, for it may be why workers
/// die.
fn interrupted(held: &Held) -> Report {
    let pause = if held.losses == 0 { Duration::ZERO } else { backoff::pause(held.losses, LONGEST_PAUSE) };
    let progress = Progress::Interrupted { cause: Interruption::WorkerLost, retry_at: now() + pause };
    Report { job_id: JobId(held.job_id), attempt: held.attempt, progress }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::advance;

    use super::*;
    use crate::application::codes::VIEWS_BEHIND;

    const WORKER: Uuid = Uuid::from_u128(7);
    /// More than are reported at a time.
    const HELD: u128 = 300;

    fn held(job: u128) -> Held {
        Held { job_id: Uuid::from_u128(job), attempt: 1, losses: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_fails_by_itself_keeps_no_other_waiting() {
        let (asked, recorded) = (Mutex::new(0), Mutex::new(Vec::new()));
        // Nothing is recorded together with the job 0.
        let log = |reports: Vec<Report>| {
            let jobs: Vec<u128> = reports.iter().map(|report| report.job_id.uuid().as_u128()).collect();
            *asked.lock().unwrap() += 1;
            let answer = if jobs.contains(&0) {
                Err(Error::failure("unreadable"))
            } else {
                recorded.lock().unwrap().extend(jobs);
                Ok(())
            };
            async move { answer }.boxed()
        };
        let mut interrupter = Interrupter::default();
        let all = (0..HELD).map(held).collect();
        interrupter.interrupt_in(&log, WORKER, all).await.expect("the others are recorded");
        assert!(recorded.lock().unwrap().iter().copied().eq(1..HELD), "each once");

        // Those that are looked for again and again are not asked for each time.
        let before = *asked.lock().unwrap();
        interrupter.interrupt_in(&log, WORKER, vec![held(0)]).await.expect("nothing to do");
        assert_eq!(*asked.lock().unwrap(), before);
        advance(AGAIN).await;
        interrupter.interrupt_in(&log, WORKER, vec![held(0), held(HELD)]).await.expect("the other is recorded");
        assert_eq!(recorded.lock().unwrap().last(), Some(&HELD));
        assert_eq!(*asked.lock().unwrap(), before + 3, "together, and each by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_away_is_no_fault_of_a_report() {
        let log = |_: Vec<Report>| async { Err::<(), _>(Error::later(VIEWS_BEHIND, AGAIN)) }.boxed();
        let mut interrupter = Interrupter::default();
        let outcome = interrupter.interrupt_in(&log, WORKER, vec![held(1)]).await;
        assert!(matches!(outcome, Err(DispatchError::App(error)) if error.kind() == Kind::Unavailable));
        assert!(interrupter.failing.is_empty(), "it is tried again at once");
    }
}
