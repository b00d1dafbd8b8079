//! Turns at sending history. Sockets that come back all at once must not take all processors from the commands: few send history at a
//! time, and for as long as they send, nobody does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{Instant, sleep},
};

/// How long history is sent before there is a rest: timers tell milliseconds apart, and a page takes less.
const RESTS_AFTER: Duration = Duration::from_millis(2);
/// The longest rest: a turn that a frozen process has held says nothing of what it cost.
const LONGEST_REST: Duration = Duration::from_millis(20);

/// The turns of a process.
pub(in crate::live) struct HistoryTurns {
    free: Arc<Semaphore>,
    /// Nanoseconds since the last rest.
    worked: Arc<AtomicU64>,
}

/// A turn at sending some history; given back when it is dropped.
pub(in crate::live) struct HistoryTurn {
    permit: Option<OwnedSemaphorePermit>,
    worked: Arc<AtomicU64>,
    since: Instant,
}

impl HistoryTurns {
    /// So many at a time.
    pub(in crate::live) fn new(senders: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(senders)), worked: Arc::default() }
    }

    /// The next turn, in the order of asking.
    pub(in crate::live) fn next(&self) -> impl Future<Output = HistoryTurn> + Send + use<> {
        let (free, worked) = (Arc::clone(&self.free), Arc::clone(&self.worked));
        async move {
            // It is never closed.
            let permit = free.acquire_owned().await.ok();
            // Whoever gives a turn on wakes the next at once, before all who have waited to run.
            yield_now().await;
            HistoryTurn { permit, worked, since: Instant::now() }
        }
    }
}

impl Drop for HistoryTurn {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let worked = Duration::from_nanos(self.worked.fetch_add(held, Ordering::Relaxed).saturating_add(held));
        let (Some(permit), true, Ok(runtime)) = (self.permit.take(), worked >= RESTS_AFTER, Handle::try_current())
        else {
            return;
        };
        self.worked.store(0, Ordering::Relaxed);
        runtime.spawn(async move {
            sleep(worked.min(LONGEST_REST)).await;
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_for_long_rests_for_as_long() {
        let turns = HistoryTurns::new(1);
        let first = turns.next().await;
        let mut second = Box::pin(turns.next());
        assert!(second.as_mut().now_or_never().is_none(), "one at a time");
        advance(Duration::from_millis(1)).await;
        drop(first);
        let second = second.await;
        advance(Duration::from_millis(4)).await;
        let before = Instant::now();
        drop(second);
        drop(turns.next().await);
        assert!(before.elapsed() >= Duration::from_millis(5), "for what both have taken: {:?}", before.elapsed());
        let before = Instant::now();
        drop(turns.next().await);
        assert_eq!(before.elapsed(), Duration::ZERO, "little was sent since");
    }
}
