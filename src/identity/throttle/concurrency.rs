//! How many requests of one kind may be at work for one network, or one account, at a time in this process: who comes with
//! many takes nothing from the others, and guesses that are compared at the same time are few.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::identity::password::PasswordError;

/// Limits that are kept; one that is dropped while somebody is at work only lets more work.
const KEPT: u64 = 100_000;
const IDLE: Duration = Duration::from_mins(1);
/// How long one waits for a permit.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Requests that may wait for one limit.
const MAX_WAITING: usize = 128;
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Limits by key, each as wide as all others.
pub(in crate::identity) struct ConcurrencyLimits {
    limits: moka::sync::Cache<[u8; 32], Arc<Limit>>,
    width: usize,
}

struct Limit {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One place of those that wait, given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConcurrencyLimits {
    /// Limits of so many at a time.
    pub(in crate::identity) fn new(width: usize) -> Self {
        Self { limits: moka::sync::Cache::builder().max_capacity(KEPT).time_to_idle(IDLE).build(), width }
    }

    /// Takes a permit, and holds it for as long as it is kept.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many wait there, or it took too long.
    pub(in crate::identity) async fn acquire(&self, key: [u8; 32]) -> Result<OwnedSemaphorePermit, PasswordError> {
        const BUSY: PasswordError = PasswordError::Busy { retry_after: RETRY_AFTER };
        let limit = self.limits.get_with(key, || {
            Arc::new(Limit { permits: Arc::new(Semaphore::new(self.width)), waiting: AtomicUsize::new(0) })
        });
        if let Ok(permit) = Arc::clone(&limit.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let place = Place(&limit.waiting);
        if limit.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            return Err(BUSY);
        }
        let permit = tokio::time::timeout(MAX_WAIT, Arc::clone(&limit.permits).acquire_owned()).await;
        drop(place);
        permit.map_err(|_| BUSY)?.map_err(|_| PasswordError::Failed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_of_one_key_wait_and_another_passes() {
        let limits = ConcurrencyLimits::new(2);
        let (one, two) = ([1; 32], [2; 32]);
        let held = (limits.acquire(one).await.unwrap(), limits.acquire(one).await.unwrap());
        assert!(limits.acquire(one).await.is_err(), "nobody waits for ever");
        let waiting = tokio::spawn({
            let limit = limits.limits.get(&one).unwrap();
            async move { Arc::clone(&limit.permits).acquire_owned().await }
        });
        assert!(limits.acquire(two).await.is_ok());
        drop(held.0);
        drop(waiting.await.unwrap().unwrap());
        assert!(limits.acquire(one).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_bounded_number_waits() {
        let limits = Arc::new(ConcurrencyLimits::new(1));
        let held = limits.acquire([1; 32]).await.unwrap();
        let passing: Vec<_> = (0..MAX_WAITING + 5)
            .map(|_| {
                let limits = Arc::clone(&limits);
                tokio::spawn(async move { limits.acquire([1; 32]).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        let mut refused = 0;
        for passed in passing {
            refused += usize::from(passed.await.unwrap().is_err());
        }
        assert_eq!(refused, 5);
        assert_eq!(limits.limits.get(&[1; 32]).unwrap().waiting.load(Ordering::Relaxed), 0);
    }
}
