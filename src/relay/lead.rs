//! The relay's life: stand for election, lead, step back.

use std::{convert::Infallible, time::Duration};

use async_nats::jetstream::Context;
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use workroom_projections::{
    describe::describe,
    history::{self, EventRow},
    leader::{Election, Term},
    log,
    recent::RecentEvents,
    session,
};

use super::{
    RelayConfig, RelayStatus,
    copy::{check_contiguous, publish_events},
    erase::{erase, redacted},
    error::{DATABASE_DEADLINE, RelayError, answer},
    resync::{Cursor, resync},
    revive::revive,
    streams,
};
use crate::{
    backoff::Backoff,
    messaging::{Messaging, seal::Seal},
};

/// The pause before another try to lead.
const PAUSE: Duration = Duration::from_millis(100);
const BACKSTOP: Duration = Duration::from_millis(500);
const HALT_PAUSE: Duration = Duration::from_secs(5);
/// How often the streams are looked at although nothing seems wrong: somebody may have emptied one.
const INSPECTION_INTERVAL: Duration = Duration::from_secs(5);
/// Bytes of a batch above which the next one is smaller.
const LARGE_BATCH: usize = 4 * 1024 * 1024;
/// From so many events in a batch on the log is busy, and the next batch is given this long to gather: each costs the
/// same few questions, however many it holds.
const BATCH_THRESHOLD: usize = 8;
const LINGER: Duration = Duration::from_millis(2);
/// How often, at most, it is stored how far the streams are.
const STORING: Duration = Duration::from_millis(200);
/// How often in a row a stream must refuse what is written to it before it is asked whether it is broken.
const REFUSALS: u32 = 2;
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Copies the log to JetStream while this process is the one elected to.
#[derive(Clone)]
pub struct Relay {
    pool: PgPool,
    options: PgConnectOptions,
    head: watch::Receiver<i64>,
    recent: RecentEvents,
    server: String,
    messaging: Messaging,
    config: RelayConfig,
    election: Election,
    status: watch::Sender<RelayStatus>,
    /// Events to read at a time: fewer when they are large.
    batch: u16,
    salt: u32,
}

impl Relay {
    /// A relay that reads the log through `pool`, leads by a connection of its own made with `options`, and is woken by `head`.
    /// The pool must reach the primary.
    pub fn new(
        pool: PgPool,
        options: PgConnectOptions,
        head: watch::Receiver<i64>,
        messaging: Messaging,
        config: RelayConfig,
        election: Election,
    ) -> Self {
        let status = watch::channel(RelayStatus::default()).0;
        let batch = config.batch;
        let recent = RecentEvents::default();
        let server = String::new();
        Self { pool, options, head, recent, server, messaging, config, election, status, batch, salt: 0 }
    }

    /// The same relay, which takes what this process has just written from memory.
    #[must_use]
    pub fn with_recent(self, recent: RecentEvents) -> Self {
        Self { recent, ..self }
    }

    /// How this relay is doing, and changes of that.
    pub fn status(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    /// Runs until the task is aborted; aborting at any point leaves log, streams and checkpoints consistent.
    pub async fn run(mut self) {
        loop {
            let error = match self.lead().await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            let halted = error.is_final();
            if halted {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "relay HALTED: the copy of the log no longer follows it"
                );
            }
            self.note(&error, "relay paused");
            self.status.send_modify(|status| {
                status.leading = false;
                status.halted = halted;
            });
            sleep(if halted { HALT_PAUSE } else { PAUSE }).await;
        }
    }

    /// Notes what went wrong, and logs it: once for each error, not once for each attempt to get over it.
    fn note(&self, error: &RelayError, message: &'static str) {
        let reason = Some(describe(error));
        let known = self.status.borrow().last_error == reason;
        if known {
            tracing::debug!(reason, message);
        } else {
            tracing::warn!(reason, message);
            self.status.send_modify(|status| status.last_error = reason);
        }
    }

    async fn lead(&mut self) -> Result<Infallible, RelayError> {
        let (mut connection, term) = self.win().await?;
        tracing::debug!("the relay leads");
        self.status.send_modify(|status| status.leading = true);
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut refusals = 0;
        while term.goes_on() {
            let generation = self.messaging.state().borrow().generation;
            let messaging = self.messaging.clone();
            let before = self.progress();
            let error = tokio::select! {
                outcome = self.follow(&mut connection, &term) => match outcome {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
                () = messaging.lost(generation) => RelayError::Disconnected,
            };
            if !error.is_doubt() {
                return Err(error);
            }
            let refusing = error.refusing_stream(&self.config);
            refusals = if refusing.is_some() { refusals + 1 } else { 0 };
            if self.progress() != before {
                backoff.reset();
                refusals = 0;
            }
            self.note(&error, "relay in doubt: asking the stream where it stands");
            if let Some(stream) = refusing
                && refusals >= REFUSALS
            {
                match revive(self.messaging.jetstream(), stream).await {
                    Ok(()) => refusals = 0,
                    Err(error) => {
                        tracing::debug!(stream, error = &error as &dyn std::error::Error, "a stream takes nothing");
                    }
                }
            }
            sleep(backoff.pause()).await;
        }
        Err(RelayError::Deposed)
    }

    /// How far the stream is.
    fn progress(&self) -> i64 {
        self.status.borrow().position
    }

    /// Waits for NATS, then until this relay leads.
    async fn win(&self) -> Result<(PgConnection, Term), RelayError> {
        self.messaging.connected().await;
        let generation = self.messaging.state().borrow().generation;
        let mut connection = answer(session::begin(&self.options)).await?;
        answer(sqlx::query("SET synchronous_commit = off").execute(&mut connection)).await?;
        tokio::select! {
            term = self.election.win(&mut connection, "relay") => Ok((connection, term?)),
            // A relay without NATS does not stand for election.
            () = self.messaging.lost(generation) => Err(RelayError::Disconnected),
        }
    }

    /// Follows the log from where the stream stands, until something is in doubt.
    async fn follow(&mut self, connection: &mut PgConnection, term: &Term) -> Result<Infallible, RelayError> {
        self.server = answer(log::server(&mut *connection)).await?;
        let jetstream = self.messaging.jetstream().clone();
        let seal = self.seal().await?;
        let mut cursor = resync(&jetstream, &self.config, &seal, connection).await?;
        // What has waited is read from the log: others may have redacted it meanwhile, of which memory does not know yet.
        let waited = answer(log::head(&mut *connection)).await?;
        tracing::info!(position = cursor.position, sequence = cursor.sequence, "relay in step with the stream");
        self.store(cursor, connection).await?;
        self.going_well(cursor);
        let mut stored = (cursor, Instant::now());
        let mut inspected = Instant::now();
        let mut ahead: Option<Vec<EventRow>> = None;
        while term.goes_on() {
            let after = cursor.position;
            let events = match ahead.take() {
                Some(events) => events,
                None => self.read(after, waited).await?,
            };
            if inspected.elapsed() >= INSPECTION_INTERVAL {
                self.inspect(cursor, connection).await?;
                inspected = Instant::now();
            }
            // What is stored is a hint of where to go on from: some messages may be sent twice, none is left out.
            if stored.0 != cursor && stored.1.elapsed() >= STORING {
                self.store(cursor, connection).await?;
                stored = (cursor, Instant::now());
            }
            let Some(last) = events.last().map(|event| event.position) else {
                self.wait(after, stored.0 != cursor, connection).await?;
                continue;
            };
            check_contiguous(&events, after)?;
            let redacted = redacted(&events);
            let events = if redacted.is_empty() {
                events
            } else {
                self.without_redacted(&jetstream, &seal, cursor, events, &redacted).await?
            };
            let is_backlog = events.len() >= usize::from(self.batch);
            let is_busy = events.len() >= BATCH_THRESHOLD && !is_backlog;
            self.batch = next_batch(&events, self.batch, self.config.batch);
            let mut salt = self.salt;
            let published = publish_events(&jetstream, events, cursor, &seal, &mut salt);
            // With more to come, the next batch is read while this one is on its way.
            let next = async { if is_backlog { self.read(last, waited).await.map(Some) } else { Ok(None) } };
            let (published, next) = tokio::join!(published, next);
            self.salt = salt;
            cursor = published?;
            self.going_well(cursor);
            // Where nobody has told of more, the timer looks.
            ahead = next?.or_else(|| (*self.head.borrow() <= last).then(Vec::new));
            if is_busy {
                sleep(LINGER).await;
            }
        }
        Err(RelayError::Deposed)
    }

    /// The next events; from memory only what is behind `waited`.
    async fn read(&self, after: i64, waited: i64) -> Result<Vec<EventRow>, RelayError> {
        let recent = if after < waited {
            Vec::new()
        } else {
            self.recent.after(&self.server, after, usize::from(self.batch), LARGE_BATCH)
        };
        if let Ok(events) = recent.iter().map(|event| EventRow::from_stored(event)).collect::<Result<Vec<_>, _>>()
            && !events.is_empty()
        {
            return Ok(events);
        }
        answer(history::log_since(&self.pool, after, i64::from(self.batch))).await
    }

    /// Sees to it that what these events say was redacted is neither in the stream nor among them.
    async fn without_redacted(
        &self,
        jetstream: &Context,
        seal: &Seal,
        cursor: Cursor,
        events: Vec<EventRow>,
        redacted: &[i64],
    ) -> Result<Vec<EventRow>, RelayError> {
        let (copied, others): (Vec<i64>, Vec<i64>) = redacted.iter().partition(|at| **at <= cursor.position);
        erase(jetstream, &self.config, seal, cursor, &copied).await?;
        if others.is_empty() {
            return Ok(events);
        }
        // They may have been read before: now the log has what is left of them.
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let events = answer(history::log_since(&self.pool, cursor.position, count)).await?;
        check_contiguous(&events, cursor.position)?;
        Ok(events)
    }

    async fn store(&self, cursor: Cursor, connection: &mut PgConnection) -> Result<(), RelayError> {
        let stored = sqlx::query(
            "INSERT INTO relay_checkpoints (stream, position) VALUES ($1, $2)
             ON CONFLICT (stream) DO UPDATE SET position = excluded.position",
        )
        .bind(&self.config.events_stream)
        .bind(cursor.position);
        answer(stored.execute(connection)).await.map(drop)
    }

    /// Looks whether the stream, the epoch and the lock are still as this relay believes.
    async fn inspect(&self, cursor: Cursor, connection: &mut PgConnection) -> Result<(), RelayError> {
        let doubt = |reason: &str| Err(RelayError::Doubt(reason.to_owned()));
        if answer(log::epoch(connection)).await? != cursor.epoch {
            return doubt("the log has begun another epoch");
        }
        let jetstream = self.messaging.jetstream();
        let Some(stream) = streams::find(jetstream, &self.config.events_stream).await? else {
            return doubt("it is missing");
        };
        let info = stream.cached_info();
        if streams::epoch_of(&info.config) != Some(cursor.epoch) || info.state.last_sequence != cursor.sequence {
            return doubt("somebody else changed it");
        }
        Ok(())
    }

    /// What this deployment's copies are sealed with.
    async fn seal(&self) -> Result<Seal, RelayError> {
        match timeout(DATABASE_DEADLINE, Seal::open(&self.pool)).await {
            Ok(seal) => seal.map_err(|error| RelayError::NoSeal(error.into())),
            Err(_) => Err(RelayError::DatabaseSilent),
        }
    }

    /// Waits until the log seems to go beyond `after`, or for a while. Asks the database a little question, for a lock
    /// lasts only as long as its connection.
    async fn wait(&mut self, after: i64, unstored: bool, connection: &mut PgConnection) -> Result<(), RelayError> {
        if *self.head.borrow() > after && answer(log::head(&mut *connection)).await? <= after {
            // The doorbell promises what the log does not hold: trust the timer.
            sleep(BACKSTOP).await;
            return Ok(());
        }
        let rung = async { self.head.wait_for(|head| *head > after).await.is_ok() };
        let backstop = if unstored { STORING } else { BACKSTOP };
        match timeout(backstop, rung).await {
            Ok(true) => return Ok(()),
            // Nobody can ring any more: the timer is left.
            Ok(false) => sleep(backstop).await,
            Err(_) if unstored => return Ok(()),
            Err(_) => {}
        }
        answer(sqlx::query("SELECT 1").execute(connection)).await.map(drop)
    }

    fn going_well(&self, cursor: Cursor) {
        self.status.send_modify(|status| {
            status.position = cursor.position;
            status.sequence = cursor.sequence;
            status.last_error = None;
            status.halted = false;
        });
    }
}

/// How many events to read after these: half as many when they were large, for two batches are in memory at a time.
fn next_batch(events: &[EventRow], batch: u16, most: u16) -> u16 {
    let bytes: usize = events.iter().map(|event| event.payload.get().len()).sum();
    if bytes > LARGE_BATCH { (batch / 2).max(1) } else { batch.saturating_mul(2).min(most) }
}
