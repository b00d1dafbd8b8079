//! Permits to send history. Sockets that come back all at once must not take all processors from the commands: few send history at a
//! time, and after two milliseconds of it a permit pauses for as long. A socket whose peer takes nothing gives its permit back, and
//! sends the rest of its page without one.

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

/// How long history is sent before there is a pause: timers tell milliseconds apart, and a page takes less.
const PAUSES_AFTER: Duration = Duration::from_millis(2);
/// The longest pause: a process that was stopped for a while has held a permit for long without working.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The permits of a process.
pub(in crate::live) struct HistoryPermits {
    free: Arc<Semaphore>,
    /// Nanoseconds of work since the last pause.
    worked: Arc<AtomicU64>,
}

/// A permit to send a page of history; given back when it is dropped.
pub(in crate::live) struct HistoryPermit {
    permit: Option<OwnedSemaphorePermit>,
    worked: Arc<AtomicU64>,
    since: Instant,
}

impl HistoryPermits {
    /// So many at a time.
    pub(in crate::live) fn new(senders: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(senders)), worked: Arc::default() }
    }

    /// The next permit, in the order of asking.
    pub(in crate::live) fn next(&self) -> impl Future<Output = HistoryPermit> + Send + use<> {
        let (free, worked) = (Arc::clone(&self.free), Arc::clone(&self.worked));
        async move {
            // It is never closed.
            let permit = free.acquire_owned().await.ok();
            // A released permit wakes the next socket at once. Tasks that are ready run first.
            yield_now().await;
            HistoryPermit { permit, worked, since: Instant::now() }
        }
    }
}

impl Drop for HistoryPermit {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let worked = Duration::from_nanos(self.worked.fetch_add(held, Ordering::Relaxed).saturating_add(held));
        let (Some(permit), true, Ok(runtime)) = (self.permit.take(), worked >= PAUSES_AFTER, Handle::try_current())
        else {
            return;
        };
        let worked = Duration::from_nanos(self.worked.swap(0, Ordering::Relaxed));
        runtime.spawn(async move {
            sleep(worked.min(LONGEST_PAUSE)).await;
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
    async fn a_permit_pauses_for_as_long_as_history_was_sent() {
        let permits = HistoryPermits::new(1);
        let first = permits.next().await;
        let mut second = Box::pin(permits.next());
        assert!(second.as_mut().now_or_never().is_none(), "one at a time");
        advance(Duration::from_millis(1)).await;
        drop(first);
        let second = second.await;
        advance(Duration::from_millis(4)).await;
        let before = Instant::now();
        drop(second);
        drop(permits.next().await);
        assert!(before.elapsed() >= Duration::from_millis(5), "for what both have taken: {:?}", before.elapsed());
        let before = Instant::now();
        drop(permits.next().await);
        assert_eq!(before.elapsed(), Duration::ZERO, "little was sent since");
    }
}
