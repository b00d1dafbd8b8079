//! The life of a task: activated, at rest, activated again.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    driver::{About, caught},
    leadership::Leadership,
    status::{Reporter, State},
    task::{Activation, Context, Next, Task},
};
use crate::backoff::Backoff;

/// The ceiling of the first pause after an error.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often a leader at rest looks whether it still leads, and says that it is not stuck.
const LOOK: Duration = Duration::from_secs(1);

/// A task with all that drives it.
pub(super) struct Periodic<T> {
    task: T,
    period: Duration,
    gathering: Duration,
    leadership: Option<Leadership>,
    context: Context,
    report: Reporter,
    backoff: Backoff,
}

impl<T: Task> Periodic<T> {
    pub(super) fn new(task: T, about: About, context: Context, report: Reporter) -> Self {
        let About { period, gathering, lead, .. } = about;
        // After an error it is tried again no later than it would have been without.
        let backoff = Backoff::full_jitter(FIRST_PAUSE, period.max(FIRST_PAUSE));
        Self { task, period, gathering, leadership: lead.map(Leadership::new), context, report, backoff }
    }

    pub(super) async fn run(mut self) {
        while !self.context.shutdown.is_cancelled() {
            let rested = match caught(self.activation()).await.flatten() {
                Ok(next) => {
                    self.backoff.reset();
                    let least = if next == Next::AtOnce { Duration::ZERO } else { self.gathering };
                    self.rest(least, next).await
                }
                Err(error) => self.pause_after(&error).await,
            };
            if let Err(panic) = rested {
                self.report.failed(&panic);
                sleep(self.backoff.pause()).await;
            }
        }
        if let Err(panic) = caught(self.task.wind_down()).await {
            self.report.failed(&panic);
        }
        self.report.is(State::Stopped);
    }

    async fn activation(&mut self) -> anyhow::Result<Next> {
        self.context.term = None;
        if let Some(leadership) = &mut self.leadership {
            if !leadership.goes_on() {
                self.report.is(State::StandingBy);
            }
            tokio::select! {
                term = leadership.hold() => self.context.term = Some(term?),
                () = self.context.shutdown.cancelled() => return Ok(Next::AfterPeriod),
            }
        }
        self.report.began();
        let Activation { detail, next } = self.task.activate(&self.context).await?;
        self.report.succeeded(detail);
        Ok(next)
    }

    async fn pause_after(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        self.report.failed(error);
        let pause = self.backoff.pause();
        self.rest(pause, Next::AtOnce).await
    }

    /// Waits for `least`, whatever rings meanwhile, and then until the task is due or woken. What has rung is kept by the
    /// task's doorbell. The error is a panic of that.
    async fn rest(&mut self, least: Duration, next: Next) -> anyhow::Result<()> {
        let most = match next {
            Next::AtOnce => Duration::ZERO,
            Next::In(pause) => pause.min(self.period),
            Next::AfterPeriod => self.period,
        };
        let now = Instant::now();
        let (least, due) = (now + least, now + most.max(least));
        if due == now {
            tokio::task::yield_now().await;
            return Ok(());
        }
        loop {
            let woken = async {
                sleep_until(least).await;
                self.task.woken().await;
            };
            tokio::select! {
                () = self.context.shutdown.cancelled() => return Ok(()),
                woken = caught(woken) => return woken,
                () = sleep_until(due) => return Ok(()),
                () = sleep(LOOK), if self.leadership.is_some() => {
                    if !self.leadership.as_ref().is_some_and(Leadership::goes_on) {
                        return Ok(());
                    }
                }
            }
        }
    }
}
