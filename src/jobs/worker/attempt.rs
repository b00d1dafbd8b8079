//! One attempt: from the hint to its end in the log.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, AckKind};
use futures::future::BoxFuture;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, interval_at},
};
use tokio_util::sync::CancellationToken;
use workroom_domain::{
    ids::JobId,
    job::{Interruption, JobState, Outcome},
};

use super::{
    Life,
    output::Output,
    running::{Known, Run},
};
use crate::{
    application::jobs::{Progress, Report},
    background::caught,
    backoff,
    clock::now,
    jobs::{
        JobMessage, Pool,
        types::{Attempt, Broken, Ended},
    },
};

/// How often the queue is told that an attempt is about to start, while the log does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// When a message comes again whose job is still here.
const REDELIVERY: Duration = Duration::from_millis(100);
/// Longest pause before a failed job is tried again.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

impl Life {
    /// Runs the attempt that a message is about, if it may start.
    pub(super) async fn attempt(
        self: Arc<Self>,
        pool: Pool,
        message: jetstream::Message,
        permit: OwnedSemaphorePermit,
    ) {
        let Ok(JobMessage { job_id, attempt }) = serde_json::from_slice(&message.payload) else {
            tracing::warn!("a job message does not read and is dropped");
            let _ = message.ack_with(AckKind::Term).await;
            return;
        };
        let job_id = JobId(job_id);
        let (stop, output) = (CancellationToken::new(), Output::new(job_id, attempt));
        match self.running.enter(job_id, Run::new(attempt, pool, stop.clone(), output.clone())) {
            Ok(()) => {}
            Err(known) if known == (Known { attempt, has_started: true }) => {
                let _ = message.ack().await;
                return;
            }
            // The attempt before is about to end, or this one is about to start, or not: the queue gives it again.
            Err(_) => {
                let _ = message.ack_with(AckKind::Nak(Some(REDELIVERY))).await;
                return;
            }
        }
        let start = Report { job_id, attempt, progress: Progress::Started { worker_id: self.id } };
        if let Some(job) = self.start(&message, start).await {
            // It may have been cancelled after the log had its start: it must not run until the next beat.
            if self.running.starts(job_id) {
                self.look.notify_one();
            }
            self.run(job_id, attempt, job, stop, output).await;
        }
        self.running.leave(job_id);
        if self.closing.is_cancelled() {
            // Nothing more is taken here: others have one slot less to wait for.
            self.look.notify_one();
        }
        drop(permit);
    }

    /// Starts the attempt in the log; none when it is another's, or over.
    async fn start(&self, message: &jetstream::Message, report: Report) -> Option<JobState> {
        let recorded = self.recorder.record(report);
        tokio::pin!(recorded);
        // The first tick of an `interval` comes with the timer's next millisecond, which each start would wait for.
        let mut ticks = interval_at(Instant::now() + PATIENCE, PATIENCE);
        let started = loop {
            tokio::select! {
                // None: the worker was given up before the log answered. The queue gives the attempt to another.
                started = &mut recorded => break started?,
                // Else it would be given to another.
                _ = ticks.tick() => drop(message.ack_with(AckKind::Progress).await),
            }
        };
        // From here on the log answers for the attempt; the queue has done its part.
        let _ = message.ack().await;
        match started {
            Ok(job) => Some(job),
            Err(error) => {
                tracing::debug!(job_id = %report.job_id, attempt = report.attempt, %error, "the attempt cannot start");
                None
            }
        }
    }

    /// Runs an attempt that has started, and reports how it ended.
    async fn run(&self, job_id: JobId, attempt: u32, job: JobState, stop: CancellationToken, output: Output) {
        let (failures, suspicions) = (job.failures, job.suspicions);
        let job_type = job.request.work.job_type();
        let ended = self.ended(Attempt {
            app: self.app.clone(),
            job_id,
            job,
            attempt,
            worker_id: self.id,
            storage_quota: self.storage_quota,
            stop: stop.clone(),
            output: output.clone(),
        });
        let ended = {
            tokio::pin!(ended);
            tokio::select! {
                ended = &mut ended => ended,
                () = self.stopping.cancelled() => {
                    stop.cancel();
                    ended.await
                }
            }
        };
        // The output first: whoever sees the end of the job must find what it printed.
        self.printer.store(&output).await;
        let told = |outcome: Outcome| Outcome { truncated: outcome.truncated || output.is_dropped(), ..outcome };
        let progress = match ended {
            Ok(Ended::Succeeded(outcome)) => Progress::Succeeded { outcome: told(outcome) },
            Ok(Ended::Failed(outcome)) => {
                let pause = self.types.find(job_type).map_or(LONGEST_PAUSE, |known| known.pause_after(failures));
                Progress::Failed { outcome: told(outcome), retry_at: Some(now() + pause) }
            }
            Ok(Ended::Hopeless(outcome)) => Progress::Failed { outcome: told(outcome), retry_at: None },
            Ok(Ended::Snoozed { until }) => Progress::Snoozed { until },
            Ok(Ended::Stopped) if self.stopping.is_cancelled() => {
                Progress::Interrupted { cause: Interruption::WorkerStopped, retry_at: now() }
            }
            // It was cancelled, or is another's: the log knows.
            Ok(Ended::Stopped) => return,
            Err(error) => {
                tracing::error!(error = error.as_ref() as &dyn std::error::Error, %job_id, attempt, "a job could not be run");
                let retry_at = now() + backoff::pause(suspicions, LONGEST_PAUSE);
                Progress::Interrupted { cause: Interruption::WorkerFailed, retry_at }
            }
        };
        if let Some(Err(error)) = self.recorder.record(Report { job_id, attempt, progress }).await {
            tracing::info!(%job_id, attempt, %error, "the end of an attempt came too late");
        }
    }

    /// Does the work. A panic over one job is that job's.
    fn ended(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        Box::pin(async move {
            let Some(job_type) = self.types.find(attempt.job.request.work.job_type()) else {
                return Err("this worker does not run jobs of this type".into());
            };
            caught(job_type.run(attempt)).await.unwrap_or_else(|panic| Err(panic.into()))
        })
    }
}
