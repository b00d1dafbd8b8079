//! The event log: appending to it, and loading aggregates from it.
//!
//! Follow an append through the files: [`request`] says what a command wants to add and what it relied on; [`writer`]
//! gathers what has queued up into a [`batch`] and commits it with one statement; the caller learns its position.
//! Follow a load: [`load`] takes the state from the [`cache`], else from a [`snapshot`], and reads the rest of the
//! stream through postgres-es. [`store`] puts `cqrs_es::EventStore` over both.
//!
//! Why a batch: the log's lock is held until its commit is on disk, so one event a commit would cap the whole service
//! at the disk's sync rate. With everything that waits in one commit, the lock costs nothing.

mod batch;
mod cache;
mod load;
pub mod receipts;
mod request;
mod snapshot;
mod store;
mod writer;

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use uuid::Uuid;

pub use cache::{AggregateCache, Versioned};
pub use load::{LoadError, Stored};
pub use receipts::Receipt;
pub use request::{AppendError, AppendRequest, Appended, Expected, NewEvent, StreamAppend, serialize_events};
pub use store::LogEventStore;

/// How much may wait for the writer, and how long a caller waits for it.
#[derive(Clone, Copy, Debug)]
pub struct AppendLimits {
    /// Appends that may wait. One more is refused, so that a stalled database sheds load instead of eating memory.
    pub queue: usize,
    /// Bytes of all that waits.
    pub queue_bytes: usize,
    /// Events in one batch.
    pub batch_events: usize,
    /// How long a caller waits for its commit before it gives up without knowing the outcome.
    pub wait: Duration,
}

impl Default for AppendLimits {
    fn default() -> Self {
        Self { queue: 4096, queue_bytes: 64 * 1024 * 1024, batch_events: 512, wait: Duration::from_secs(10) }
    }
}

/// The event log of one database, as one process sees it. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

struct Inner {
    queue: mpsc::Sender<writer::Pending>,
    head: watch::Sender<i64>,
    cache: AggregateCache,
    loader: load::Loader,
    snapshots: snapshot::Snapshots,
    limits: AppendLimits,
    /// How much may wait, in KiB.
    room: Arc<Semaphore>,
}

impl EventLog {
    /// Opens the log: starts its writer and its snapshot writer on the current runtime. Both end when the last clone
    /// is dropped and everything queued is written.
    ///
    /// # Errors
    /// The database cannot be asked for the head of the log.
    pub async fn open(pool: PgPool, limits: AppendLimits) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = (*pool.connect_options()).clone();
        Self::open_with(pool, options, limits).await
    }

    /// As [`EventLog::open`], with the writer connecting with `options`.
    ///
    /// # Errors
    /// The database cannot be asked for the head of the log.
    pub async fn open_with(pool: PgPool, options: PgConnectOptions, limits: AppendLimits) -> Result<Self, sqlx::Error> {
        let head: i64 = sqlx::query_scalar("SELECT COALESCE(max(position), 0) FROM events").fetch_one(&pool).await?;
        let (queue, waiting) = mpsc::channel(limits.queue);
        let (head, _) = watch::channel(head);
        tokio::spawn(writer::Writer::new(options, waiting, head.clone(), limits.batch_events).run());
        let inner = Inner {
            queue,
            head,
            cache: AggregateCache::new(),
            loader: load::Loader::new(pool.clone()),
            snapshots: snapshot::Snapshots::start(pool),
            limits,
            room: Arc::new(Semaphore::new(limits.queue_bytes / 1024)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Appends events, all or nothing, and returns once they are committed.
    ///
    /// # Errors
    /// See [`AppendError`]; only [`AppendError::OutcomeUnknown`] leaves open whether the events were committed.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        let (reply, outcome) = oneshot::channel();
        let size = request.bytes().div_ceil(1024).max(1);
        let room = Arc::clone(&self.inner.room);
        let room = u32::try_from(size).ok().and_then(|size| room.try_acquire_many_owned(size).ok());
        let room = room.ok_or(AppendError::Overloaded)?;
        self.inner
            .queue
            .try_send(writer::Pending { request, reply, _room: room })
            .map_err(|_| AppendError::Overloaded)?;
        match tokio::time::timeout(self.inner.limits.wait, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(AppendError::OutcomeUnknown),
        }
    }

    /// Appends inside a transaction of the caller's, who commits it and then calls [`EventLog::announce`].
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append_within(
        connection: &mut PgConnection,
        request: &AppendRequest,
    ) -> Result<Appended, AppendError> {
        batch::append_one(connection, request).await
    }

    /// Tells everyone who follows the log that it reaches at least to `position`.
    pub fn announce(&self, position: i64) {
        self.inner.head.send_if_modified(|head| {
            let ahead = position > *head;
            *head = position.max(*head);
            ahead
        });
    }

    /// The last position known to this process; changes are a doorbell, not a promise.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.inner.head.subscribe()
    }

    /// The state of an aggregate, possibly a moment old: whoever appends on it finds out.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load<A: Stored>(&self, id: Uuid) -> Result<Arc<Versioned<A>>, LoadError> {
        if let Some(cached) = self.inner.cache.get::<A>(id) {
            return Ok(cached);
        }
        self.reload(id).await
    }

    /// The state of an aggregate as committed now, whatever the cache says.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn reload<A: Stored>(&self, id: Uuid) -> Result<Arc<Versioned<A>>, LoadError> {
        let known = self.inner.cache.get::<A>(id);
        let loaded = self.inner.loader.load(id, known).await?;
        if loaded.from_history >= snapshot::EVERY {
            self.inner.snapshots.offer(&loaded.versioned);
        }
        self.remember(loaded.versioned.clone());
        Ok(loaded.versioned)
    }

    /// Keeps a state for the next command, after its events are committed.
    pub fn remember<A: Stored>(&self, versioned: Arc<Versioned<A>>) {
        if versioned.sequence % snapshot::EVERY == 0 {
            self.inner.snapshots.offer(&versioned);
        }
        self.inner.cache.put(versioned);
    }

    /// Forgets a state that turned out to be old.
    pub fn forget(&self, aggregate_type: &'static str, id: Uuid) {
        self.inner.cache.remove(aggregate_type, id);
    }

    /// The sequences that these aggregates have reached, in the order asked.
    ///
    /// # Errors
    /// The database's.
    pub async fn sequences(&self, aggregates: &[(&'static str, Uuid)]) -> Result<Vec<i64>, sqlx::Error> {
        self.inner.loader.sequences(aggregates).await
    }
}
