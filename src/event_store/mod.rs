//! The event log: appending to it, and loading aggregates from it.
//!
//! Follow an append through the files: [`request`] says what a command wants to add and what it relied on; [`writer`]
//! gathers what has queued up into a [`batch`] and commits it with one statement of its [`session`]; the caller learns its
//! position. [`settlement`] lets the next command build on an append that is still on its way; [`heads`] keeps what need not
//! be looked up again; [`incarnation`] drops all that is remembered when the database is another.
//! Follow a load: [`load`] takes the state from the [`cache`], else from a [`snapshot`], and reads the rest of the
//! stream through postgres-es. [`store`] puts `cqrs_es::EventStore` over both.
//!
//! Why a batch: the log's lock is held until its commit is on disk, so one event a commit would cap the whole service
//! at the disk's sync rate. With everything that waits in one commit, the lock costs nothing.

mod batch;
mod cache;
mod heads;
mod incarnation;
mod load;
pub mod receipts;
mod request;
mod session;
mod settlement;
pub mod snapshot;
mod store;
mod writer;
mod yields;

use std::{collections::HashMap, sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::{Semaphore, mpsc, watch};
use uuid::Uuid;
use workroom_projections::recent::{RecentEvents, StoredEvent};

pub use cache::{AggregateCache, Versioned};
pub use incarnation::{Incarnation, IncarnationWatch, begin_epoch};
pub use load::{LoadError, Stored, StoredForm};
pub use receipts::Receipt;
pub use request::{
    AppendError, AppendRequest, Appended, Expected, NewEvent, StreamAppend, TableStatement, serialize_events,
};
pub use settlement::Settlement;
pub use store::LogEventStore;

/// How much may wait for the writer, and how long a caller waits for it.
#[derive(Clone, Copy, Debug)]
pub struct AppendLimits {
    /// Appends that may wait. One more is refused, so that a stalled database sheds load instead of eating memory.
    pub queue: usize,
    /// Bytes of all that waits.
    pub queue_bytes: usize,
    /// Events in one batch, unless a single request has more.
    pub batch_events: usize,
    /// Events that a single request may append.
    pub request_events: usize,
    /// How long a caller waits for its commit before it gives up without knowing the outcome.
    pub wait: Duration,
}

impl Default for AppendLimits {
    fn default() -> Self {
        Self {
            queue: 4096,
            queue_bytes: 64 * 1024 * 1024,
            batch_events: 512,
            request_events: 5_000,
            wait: Duration::from_secs(10),
        }
    }
}

/// The event log of one database, as one process sees it. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    queue: mpsc::Sender<writer::Pending>,
    table_queue: mpsc::Sender<writer::Pending>,
    shared: Arc<Shared>,
    cache: AggregateCache,
    loader: load::Loader,
    snapshots: snapshot::Snapshots,
    /// How much may wait, in KiB.
    room: Arc<Semaphore>,
}

/// What the writers share with the log.
struct Shared {
    options: PgConnectOptions,
    watch: IncarnationWatch,
    head: watch::Sender<i64>,
    heads: heads::Heads,
    recent: RecentEvents,
    limits: AppendLimits,
}

impl Shared {
    fn session(&self) -> session::Session {
        session::Session::new(self.options.clone(), self.watch.clone())
    }

    /// Takes note of an append that was committed: where it left aggregates and feeds, what it wrote, how far the log is.
    /// The views hear of it before anybody is answered, who then waits for them.
    fn committed(
        &self,
        generation: u64,
        committed: &session::Committed,
        sequences: impl Iterator<Item = (heads::Key, i64)>,
        feeds: &writer::Feeds,
        requests: Vec<AppendRequest>,
    ) {
        let events: usize = requests.iter().map(AppendRequest::event_count).sum();
        let after = committed.head + i64::try_from(events).unwrap_or_default();
        let last = requests.last().and_then(AppendRequest::last_event);
        self.keep_heads(generation, committed, after, sequences, feeds);
        self.keep_recent(generation, requests, committed, feeds);
        if let Some(event_id) = last {
            self.watch.saw(after, event_id);
        }
        self.announce(after);
    }

    fn keep_heads(
        &self,
        generation: u64,
        committed: &session::Committed,
        after: i64,
        sequences: impl Iterator<Item = (heads::Key, i64)>,
        feeds: &writer::Feeds,
    ) {
        if committed.recorded_at.is_none() {
            // Found after its connection was lost: where it left the feeds is not known.
            return self.heads.clear(generation);
        }
        let places = feeds.ids.iter().zip(&committed.places).zip(&feeds.events);
        let places = places.map(|((feed, before), events)| (*feed, before + i64::from(*events)));
        self.heads.committed(generation, committed.head, after, sequences, places);
    }

    /// Keeps what an append wrote for those who follow the log.
    fn keep_recent(
        &self,
        generation: u64,
        requests: Vec<AppendRequest>,
        committed: &session::Committed,
        feeds: &writer::Feeds,
    ) {
        let Some(recorded_at) = committed.recorded_at else { return };
        let mut places: HashMap<Uuid, i64> = feeds.ids.iter().copied().zip(committed.places.iter().copied()).collect();
        let mut position = committed.head;
        let events = requests.into_iter().flat_map(|request| request.streams).flat_map(|stream| {
            let StreamAppend { expected, feed_id, events } = stream;
            (expected.sequence + 1..).zip(events).map(move |(sequence, event)| (expected, feed_id, sequence, event))
        });
        let stored = events.map(|(expected, feed_id, sequence, event)| {
            let place = places.entry(feed_id).or_default();
            *place += 1;
            position += 1;
            StoredEvent {
                position,
                event_id: event.event_id,
                feed_id,
                feed_seq: *place,
                aggregate_type: expected.aggregate_type,
                aggregate_id: expected.aggregate_id,
                sequence,
                event_type: event.event_type,
                event_version: event.event_version,
                payload: event.payload,
                metadata: event.metadata,
                recorded_at,
            }
        });
        self.recent.push(generation, stored);
    }

    fn announce(&self, position: i64) {
        self.watch.observe(position);
        self.head.send_if_modified(|head| {
            let ahead = position > *head;
            *head = position.max(*head);
            ahead
        });
    }
}

/// An append on its way to the log.
pub struct Enqueued {
    /// What becomes of it, for those who build on it.
    pub settlement: Settlement,
    answer: writer::Answer,
    wait: Duration,
}

impl Enqueued {
    /// Waits until the events are committed.
    ///
    /// # Errors
    /// See [`AppendError`]; only [`AppendError::OutcomeUnknown`] leaves open whether the events were committed.
    pub async fn committed(self) -> Result<Appended, AppendError> {
        match tokio::time::timeout(self.wait, self.answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(AppendError::OutcomeUnknown),
        }
    }
}

/// A state to decide on, which may be on its way to the log.
pub struct Latest<A> {
    /// The state and its sequence; not yet committed where there is a `settlement`.
    pub versioned: Arc<Versioned<A>>,
    /// What it depends on; none when it is committed.
    pub settlement: Option<Settlement>,
}

impl EventLog {
    /// Opens the log: starts its writers and its snapshot writer on the current runtime. They end when the last clone
    /// is dropped and everything queued is written.
    ///
    /// # Errors
    /// The database cannot be asked for the head of the log.
    pub async fn open(pool: PgPool, limits: AppendLimits) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = (*pool.connect_options()).clone();
        Self::open_with(pool, options, IncarnationWatch::default(), limits).await
    }

    /// As [`EventLog::open`], with the writers connecting with `options`, and a watch that others share.
    ///
    /// # Errors
    /// As [`EventLog::open`].
    pub async fn open_with(
        pool: PgPool,
        options: PgConnectOptions,
        watch: IncarnationWatch,
        limits: AppendLimits,
    ) -> Result<Self, sqlx::Error> {
        let head: i64 = {
            let mut connection = pool.acquire().await?;
            watch.verify(&mut connection).await?;
            workroom_projections::log::head(&mut *connection).await?
        };
        let (queue, waiting) = mpsc::channel(limits.queue);
        let (table_queue, waiting_with_tables) = mpsc::channel(limits.queue);
        let (head, _) = watch::channel(head);
        let (heads, recent) = (heads::Heads::default(), RecentEvents::default());
        let shared = Arc::new(Shared { options, watch: watch.clone(), head, heads, recent, limits });
        tokio::spawn(writer::Writer::new(Arc::clone(&shared), waiting).run());
        writer::start_table_writers(&shared, waiting_with_tables);
        let cache = AggregateCache::new();
        let (dropped, told) = (cache.clone(), Arc::downgrade(&shared));
        let incarnation = watch.current();
        shared.recent.begin(incarnation.generation, &incarnation.server);
        watch.on_change(move |incarnation, head| {
            dropped.clear();
            if let Some(shared) = told.upgrade() {
                shared.recent.begin(incarnation.generation, &incarnation.server);
                shared.head.send_replace(head);
            }
        });
        let inner = Inner {
            queue,
            table_queue,
            shared,
            cache,
            loader: load::Loader::new(pool.clone()),
            snapshots: snapshot::Snapshots::start(pool.clone(), watch),
            pool,
            room: Arc::new(Semaphore::new(limits.queue_bytes / 1024)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What this process has just written, for those in it who follow the log.
    pub fn recent(&self) -> RecentEvents {
        self.inner.shared.recent.clone()
    }

    /// Knows when the database has become another.
    pub fn incarnations(&self) -> &IncarnationWatch {
        &self.inner.shared.watch
    }

    /// Appends events, all or nothing, and returns once they are committed.
    ///
    /// # Errors
    /// See [`AppendError`]; only [`AppendError::OutcomeUnknown`] leaves open whether the events were committed.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.enqueue(request)?.committed().await
    }

    /// Hands events to the writers, in the order of the calls. Whoever drops what is returned before the writer has come
    /// to it takes it back.
    ///
    /// # Errors
    /// [`AppendError::Overloaded`], [`AppendError::TooLarge`].
    pub fn enqueue(&self, request: AppendRequest) -> Result<Enqueued, AppendError> {
        let Inner { queue, table_queue, shared, room, .. } = &*self.inner;
        if request.event_count() > shared.limits.request_events {
            return Err(AppendError::TooLarge);
        }
        let size = request.bytes().div_ceil(1024).max(1);
        let permit = u32::try_from(size).ok().and_then(|size| Arc::clone(room).try_acquire_many_owned(size).ok());
        let permit = permit.ok_or(AppendError::Overloaded)?;
        let queue = if request.tables.is_empty() { queue } else { table_queue };
        let (mut pending, answer) = writer::Pending::new(request);
        pending.permit = Some(permit);
        let settlement = pending.settlement.clone();
        queue.try_send(pending).map_err(|_| AppendError::Overloaded)?;
        Ok(Enqueued { settlement, answer, wait: shared.limits.wait })
    }

    /// Tells everyone who follows the log that it reaches at least to `position`.
    pub fn announce(&self, position: i64) {
        self.inner.shared.announce(position);
    }

    /// Asks the database how far the log is, and tells everyone who follows it.
    pub async fn look(&self) -> Result<(), sqlx::Error> {
        self.announce(workroom_projections::log::head(&self.inner.pool).await?);
        Ok(())
    }

    /// The last position known to this process; changes are a doorbell, not a promise. It goes back when the database is another.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.inner.shared.head.subscribe()
    }

    /// The state of an aggregate that is committed, possibly a moment old: whoever appends on it finds out.
    pub async fn load<A: Stored>(&self, id: Uuid) -> Result<Arc<Versioned<A>>, LoadError> {
        loop {
            let Latest { versioned, settlement } = self.latest(id).await?;
            match settlement {
                None => return Ok(versioned),
                Some(settlement) if settlement.committed().await => return Ok(versioned),
                // What it was built on did not come about.
                Some(_) => {}
            }
        }
    }

    /// The newest state of an aggregate, which may be on its way to the log: for those who make their append depend on it.
    pub async fn latest<A: Stored>(&self, id: Uuid) -> Result<Latest<A>, LoadError> {
        let generation = self.inner.shared.watch.generation();
        if let Some(cache::Cached { versioned, settlement }) = self.inner.cache.get::<A>(id, generation) {
            return Ok(Latest { versioned, settlement });
        }
        Ok(Latest { versioned: self.reload(id).await?, settlement: None })
    }

    /// The state of an aggregate as committed now, whatever the cache says.
    pub async fn reload<A: Stored>(&self, id: Uuid) -> Result<Arc<Versioned<A>>, LoadError> {
        let generation = self.inner.shared.watch.generation();
        let known = match self.inner.cache.get::<A>(id, generation) {
            Some(cache::Cached { versioned, settlement: None }) => Some(versioned),
            Some(cache::Cached { versioned, settlement: Some(settlement) }) => {
                settlement.committed().await.then_some(versioned)
            }
            None => None,
        };
        let loaded = self.inner.loader.load(id, known).await?;
        if loaded.from_history >= snapshot::EVERY {
            self.inner.snapshots.offer(&loaded.versioned, generation);
        }
        self.inner.cache.put(Arc::clone(&loaded.versioned), generation, None);
        Ok(loaded.versioned)
    }

    /// The next events of an aggregate behind a sequence, up to another, as they are stored: as many as are read at a time, and
    /// at least one if there are to be any.
    ///
    /// # Errors
    /// The database's; an event is missing.
    pub async fn stored_events<A: Stored>(
        &self,
        id: Uuid,
        after: i64,
        until: i64,
    ) -> Result<Vec<StoredForm>, LoadError> {
        self.inner.loader.stored_events::<A>(id, after, until).await
    }

    /// An event in its newest form; `stored_as` is its type and the version of its stored form.
    ///
    /// # Errors
    /// [`LoadError::Undecodable`].
    pub fn decode<A: Stored>(
        &self,
        id: Uuid,
        sequence: i64,
        stored_as: (&str, &str),
        payload: &str,
    ) -> Result<<A as workroom_domain::Decide>::Event, LoadError> {
        self.inner.loader.decode::<A>(id, sequence, stored_as, payload)
    }

    /// Keeps a state for the next command, before its events are committed.
    pub fn cache_uncommitted<A: Stored>(&self, versioned: Arc<Versioned<A>>, generation: u64, settlement: &Settlement) {
        self.inner.cache.put(versioned, generation, Some(settlement.clone()));
    }

    /// Keeps a state for the next command, after its events are committed.
    pub fn cache<A: Stored>(&self, versioned: Arc<Versioned<A>>, generation: u64) {
        if versioned.sequence > 0 && versioned.sequence % snapshot::EVERY == 0 {
            self.inner.snapshots.offer(&versioned, generation);
        }
        self.inner.cache.put(versioned, generation, None);
    }

    /// Offers a committed state as a snapshot, if whoever loads it would read many events without one.
    pub fn offer_snapshot<A: Stored>(&self, versioned: &Versioned<A>, generation: u64) {
        if versioned.sequence >= snapshot::EVERY {
            self.inner.snapshots.offer(versioned, generation);
        }
    }

    /// Evicts a state that turned out to be old; one that has taken its place stays.
    pub fn evict_exact<A: Stored>(&self, versioned: &Arc<Versioned<A>>, generation: u64) {
        let state: Arc<dyn std::any::Any + Send + Sync> = Arc::clone(versioned) as _;
        self.inner.cache.evict_exact((<A as workroom_domain::Decide>::TYPE, versioned.id, generation), &state);
    }

    /// Evicts whatever state of an aggregate is remembered.
    pub fn evict(&self, aggregate_type: &'static str, id: Uuid) {
        self.inner.cache.evict(aggregate_type, id, self.inner.shared.watch.generation());
    }

    /// The sequences that these aggregates have reached, in the order asked.
    pub async fn sequences(&self, aggregates: &[(&'static str, Uuid)]) -> Result<Vec<i64>, sqlx::Error> {
        self.inner.loader.sequences(aggregates).await
    }
}
