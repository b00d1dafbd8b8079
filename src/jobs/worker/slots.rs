//! Taking attempts from the queue, as many as there is room for.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::consumer::{Consumer, pull};
use futures::StreamExt;
use tokio::{sync::Semaphore, time::sleep};
use tokio_util::task::TaskTracker;

use super::Life;
use crate::jobs::{Pool, QUEUE};

/// How long the queue may let wait before it is asked again.
const PULL: Duration = Duration::from_secs(5);
/// The pause before the queue is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// Most attempts that are asked for at a time.
const BATCH: usize = 64;

/// The queue does not do its part; try again later.
type QueueAway = Box<dyn std::error::Error + Send + Sync>;

impl Life {
    /// Runs a pool's attempts, so many at a time.
    pub(super) async fn serve(self: Arc<Self>, pool: Pool, slots: usize, tracker: TaskTracker) {
        let free = Arc::new(Semaphore::new(slots));
        while !self.closing.is_cancelled() {
            let generation = self.messaging.state().borrow().generation;
            tokio::select! {
                // Also when the stream or the consumer is deleted: they are looked for until the dispatcher has made
                // them.
                Err(error) = self.take(pool, &free, &tracker) => {
                    tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "the job queue is not available");
                }
                // Nobody answers what was asked over a connection that is gone.
                () = self.messaging.lost(generation) => {}
                () = self.closing.cancelled() => return,
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    async fn take(self: &Arc<Self>, pool: Pool, free: &Arc<Semaphore>, tracker: &TaskTracker) -> Result<(), QueueAway> {
        // The dispatcher makes both.
        let jetstream = self.messaging.jetstream();
        let consumer: Consumer<pull::Config> = jetstream.get_consumer_from_stream(pool.as_str(), QUEUE).await?;
        loop {
            let first = Arc::clone(free).acquire_owned().await?;
            let more = free.available_permits().min(BATCH - 1);
            let mut batch = consumer.batch().max_messages(1 + more).expires(PULL).messages().await?;
            let mut permit = Some(first);
            while let Some(message) = batch.next().await {
                let message = message?;
                let permit = match permit.take() {
                    Some(permit) => permit,
                    None => Arc::clone(free).acquire_owned().await?,
                };
                tracker.spawn(Arc::clone(self).attempt(pool, message, permit));
            }
        }
    }
}
