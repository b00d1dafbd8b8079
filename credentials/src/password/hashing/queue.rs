//! Permits, those who wait for one, and the threads that the work is done on.

use std::sync::{Arc, PoisonError};

use argon2::Block;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    config::{InvalidCost, PasswordError, Queue},
    hasher::{Inner, PasswordHasher},
};

impl PasswordHasher {
    /// Whether whoever came now to sign in would be refused: worth a look before anything else is done for them.
    ///
    /// # Errors
    /// [`PasswordError::Busy`].
    pub fn check_room(&self) -> Result<(), PasswordError> {
        if self.0.permits.available_permits() == 0 && self.places(Queue::SignIn).available_permits() == 0 {
            return Err(PasswordError::Busy { retry_after: self.0.retry_after });
        }
        Ok(())
    }

    /// How many callers wait for a permit: for metrics.
    pub fn waiting(&self) -> usize {
        self.0.places.iter().map(|places| self.0.max_waiting.saturating_sub(places.available_permits())).sum()
    }

    fn places(&self, queue: Queue) -> &Semaphore {
        let [sign_in, registration, recovery] = &self.0.places;
        match queue {
            Queue::SignIn => sign_in,
            Queue::Registration => registration,
            Queue::Recovery => recovery,
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        queue: Queue,
        work: impl FnOnce(&Inner, &mut Vec<Block>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = self.permit(queue).await?;
        self.run_under(permit, work).await
    }

    pub(super) async fn run_under<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&Inner, &mut Vec<Block>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let lane = Lane::new(Arc::clone(&self.0), permit);
        // Dropping the handle does not stop the thread, and the lane with its permit belongs to the thread.
        let threads = self.0.threads.as_ref().ok_or(PasswordError::Failed)?;
        let running = threads.spawn(async move {
            let mut lane = lane;
            let inner = Arc::clone(&lane.inner);
            work(&inner, &mut lane.memory)
        });
        running.await.map_err(|_| PasswordError::Failed)?
    }

    pub(super) async fn permit(&self, queue: Queue) -> Result<OwnedSemaphorePermit, PasswordError> {
        let busy = PasswordError::Busy { retry_after: self.0.retry_after };
        let permits = Arc::clone(&self.0.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.places(queue).try_acquire().map_err(|_| busy)?;
        match timeout(self.0.max_wait, permits.acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| PasswordError::Failed),
            Err(_) => Err(busy),
        }
    }
}

/// A permit and the memory that goes with it.
struct Lane {
    memory: Vec<Block>,
    inner: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Lane {
    fn new(inner: Arc<Inner>, permit: OwnedSemaphorePermit) -> Self {
        let memory = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Self { memory, inner, _permit: permit }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Runs before the permit is dropped: there is never more memory than permits.
        let mut memory = std::mem::take(&mut self.memory);
        let usual = self.inner.params.block_count();
        if memory.len() > usual {
            memory.truncate(usual);
            memory.shrink_to_fit();
        }
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// Threads that get what processor time the others leave: a flood of sign-ins must not slow down those who are signed in.
pub(super) fn threads(permits: usize) -> Result<Runtime, InvalidCost> {
    Builder::new_multi_thread()
        .worker_threads(permits)
        .max_blocking_threads(1)
        .thread_name("workroom-hash")
        .on_thread_start(yield_to_others)
        .build()
        .map_err(|_| InvalidCost)
}

/// On Linux the thread runs when no other wants to (`SCHED_IDLE`, sched(7)): whoever wakes interrupts it at once, where
/// they would wait for the end of a merely nicer thread's slice. Elsewhere it runs as others do.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
            tracing::debug!(?error, "password hashing competes with other work");
        }
    }
}
