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

use super::password::PasswordError;

/// Gates that are kept; one that is dropped while somebody passes it only lets more pass.
const KEPT: u64 = 100_000;
const IDLE: Duration = Duration::from_mins(1);
/// How long one waits before a gate.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Requests that may wait before one gate.
const MAX_WAITING: usize = 128;
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Gates by key, each as wide as all others.
pub(super) struct Gates {
    gates: moka::sync::Cache<[u8; 32], Arc<Gate>>,
    width: usize,
}

struct Gate {
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

impl Gates {
    /// Gates that so many pass at a time.
    pub(super) fn new(width: usize) -> Self {
        Self { gates: moka::sync::Cache::builder().max_capacity(KEPT).time_to_idle(IDLE).build(), width }
    }

    /// Passes a gate, for as long as the permit is kept.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many wait there, or it took too long.
    pub(super) async fn pass(&self, key: [u8; 32]) -> Result<OwnedSemaphorePermit, PasswordError> {
        const BUSY: PasswordError = PasswordError::Busy { retry_after: RETRY_AFTER };
        let gate = self.gates.get_with(key, || {
            Arc::new(Gate { permits: Arc::new(Semaphore::new(self.width)), waiting: AtomicUsize::new(0) })
        });
        if let Ok(permit) = Arc::clone(&gate.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let place = Place(&gate.waiting);
        if gate.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            return Err(BUSY);
        }
        let permit = tokio::time::timeout(MAX_WAIT, Arc::clone(&gate.permits).acquire_owned()).await;
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
        let gates = Gates::new(2);
        let (one, two) = ([1; 32], [2; 32]);
        let held = (gates.pass(one).await.unwrap(), gates.pass(one).await.unwrap());
        assert!(gates.pass(one).await.is_err(), "nobody waits for ever");
        let waiting = tokio::spawn({
            let gate = gates.gates.get(&one).unwrap();
            async move { Arc::clone(&gate.permits).acquire_owned().await }
        });
        assert!(gates.pass(two).await.is_ok());
        drop(held.0);
        drop(waiting.await.unwrap().unwrap());
        assert!(gates.pass(one).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_bounded_number_waits() {
        let gates = Arc::new(Gates::new(1));
        let held = gates.pass([1; 32]).await.unwrap();
        let passing: Vec<_> = (0..MAX_WAITING + 5)
            .map(|_| {
                let gates = Arc::clone(&gates);
                tokio::spawn(async move { gates.pass([1; 32]).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        let mut refused = 0;
        for passed in passing {
            refused += usize::from(passed.await.unwrap().is_err());
        }
        assert_eq!(refused, 5);
        assert_eq!(gates.gates.get(&[1; 32]).unwrap().waiting.load(Ordering::Relaxed), 0);
    }
}
