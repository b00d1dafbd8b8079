//! The life of a service loop: it runs, and is begun again should it end.

use std::{pin::pin, time::Duration};

use tokio::time::sleep;

use super::{
    driver::caught,
    status::{Reporter, State},
    task::Context,
};
use crate::backoff::Backoff;

/// The ceiling of the first pause before it is begun again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The ceiling of the longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What has run for so long works.
const STEADY: Duration = Duration::from_secs(5);

/// Keeps `work` running until the process stops.
pub(super) async fn keep_running<W, F>(work: W, context: Context, report: Reporter)
where
    W: Fn(Context) -> F + Sync,
    F: Future<Output = ()> + Send,
{
    let mut backoff = Backoff::full_jitter(FIRST_PAUSE, LONGEST_PAUSE);
    while !context.shutdown.is_cancelled() {
        report.began();
        let mut running = pin!(caught(async { work(context.clone()).await }));
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = sleep(STEADY) => {
                report.is_steady();
                backoff.reset();
                running.await
            }
        };
        if context.shutdown.is_cancelled() {
            break;
        }
        report.failed(&ended.err().unwrap_or_else(|| anyhow::anyhow!("it ended, and must not")));
        tokio::select! {
            () = sleep(backoff.pause()) => {}
            () = context.shutdown.cancelled() => {}
        }
    }
    report.is(State::Stopped);
}
