//! A worker's sign of life: its row in the table `workers`, which it touches again and again.
//!
//! Who is silent loses its jobs. So the heart waits for nobody else: it has its own connection to the database,
//! whatever the common ones wait for, and [`listen`] waits for NATS in its place.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use uuid::Uuid;
use workroom_projections::session;

use super::{Life, reason::LastReason, stop_subject};
use crate::{
    backoff::Backoff,
    jobs::pool::{PerPool, Pool},
};

/// How often a worker says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// When it says so again, after the database has failed it.
const RETRY: Duration = Duration::from_millis(250);
/// How long the database may take over it.
const DATABASE_TIMEOUT: Duration = Duration::from_millis(1500);
/// The pause before another try to listen.
const LISTEN_RETRY: Duration = Duration::from_millis(500);

/// Says that a worker lives.
pub(super) struct Heart {
    id: Uuid,
    slots: PerPool<usize>,
    options: PgConnectOptions,
    /// None while it is used: a question that was broken off takes its connection with it.
    connection: Option<PgConnection>,
    reason: LastReason,
}

/// Why the table is out of reach.
#[derive(Debug, thiserror::Error)]
enum HeartError {
    #[error("the database failed the worker")]
    Database(#[from] sqlx::Error),
    #[error("the database did not answer the worker in time")]
    DatabaseSilent,
}

async fn answer<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, HeartError> {
    match timeout(DATABASE_TIMEOUT, asked).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(HeartError::DatabaseSilent),
    }
}

fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Heart {
    /// A heart that beats by a connection of its own made with `options`.
    pub(super) fn new(id: Uuid, options: PgConnectOptions, slots: PerPool<usize>) -> Self {
        Self { id, slots, options, connection: None, reason: LastReason::default() }
    }

    /// Enters the worker in the table; tries until it is there.
    pub(super) async fn enter(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        loop {
            match answer(self.insert()).await {
                Ok(()) => return,
                Err(error) => self.reason.warn(&error, "the worker cannot begin yet"),
            }
            sleep(backoff.pause()).await;
        }
    }

    /// Takes the worker out of the table: it runs nothing any more.
    pub(super) async fn leave(&mut self) {
        if let Err(error) = answer(self.delete()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a worker leaves without a word");
        }
    }

    /// Says that the worker lives, and stops what it should no longer run: each second, and when there is a reason to
    /// look. Returns when the worker was given up.
    pub(super) async fn beat(&mut self, life: &Life) {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = life.look.notified() => {}
            }
            match self.once(life).await {
                Ok(true) => self.reason.clear(),
                Ok(false) => return,
                // A database that is away is no reason to stop: the log will tell whose each attempt was.
                Err(error) => {
                    self.reason.warn(&error, "the worker cannot say that it lives");
                    ticks.reset_after(RETRY);
                }
            }
        }
    }

    /// Says it once; `false` when the worker was given up.
    async fn once(&mut self, life: &Life) -> Result<bool, HeartError> {
        // A worker that takes nothing more has the slots that are taken. Not none: what runs here counts as at work in
        // the whole pool, and others would be given less than they have room for.
        let slots = if life.closing.is_cancelled() { life.running.slots() } else { self.slots };
        let running = life.running.look();
        let (jobs, attempts): (Vec<Uuid>, Vec<i32>) = running
            .iter()
            .map(|(job_id, attempt)| (job_id.uuid(), i32::try_from(*attempt).unwrap_or(i32::MAX)))
            .unzip();
        let (is_known, taken) = answer(self.update(slots, jobs, attempts)).await?;
        for (job_id, attempt) in running.into_iter().filter(|(job_id, _)| taken.contains(&job_id.uuid())) {
            life.running.stop(job_id, attempt);
        }
        Ok(is_known)
    }

    /// The heart's own connection, a new one where there is none. Whoever was answered puts it back.
    async fn take_connection(&mut self) -> Result<PgConnection, sqlx::Error> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => session::begin(&self.options).await,
        }
    }

    async fn insert(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.take_connection().await?;
        let entered = sqlx::query(
            "INSERT INTO workers (id, sandbox_slots, service_slots) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(self.id)
        .bind(small(self.slots[Pool::Sandbox]))
        .bind(small(self.slots[Pool::Service]));
        entered.execute(&mut connection).await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Raises the number by which others see that the worker lives; returns whether it has a row, and which of these
    /// jobs are not its own any more.
    async fn update(
        &mut self,
        slots: PerPool<usize>,
        jobs: Vec<Uuid>,
        attempts: Vec<i32>,
    ) -> Result<(bool, Vec<Uuid>), sqlx::Error> {
        let mut connection = self.take_connection().await?;
        let asked = sqlx::query_as(
            "WITH mine AS (
                 UPDATE workers SET beat = beat + 1, beat_at = now(), sandbox_slots = $4, service_slots = $5
                 WHERE id = $1 RETURNING id
             )
             SELECT EXISTS (SELECT FROM mine), ARRAY(SELECT taken_jobs($1, $2, $3))",
        )
        .bind(self.id)
        .bind(jobs)
        .bind(attempts)
        .bind(small(slots[Pool::Sandbox]))
        .bind(small(slots[Pool::Service]));
        let answer = asked.fetch_one(&mut connection).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn delete(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.take_connection().await?;
        sqlx::query("DELETE FROM workers WHERE id = $1").bind(self.id).execute(&mut connection).await?;
        connection.close().await
    }
}

/// Hears when the worker is told that it runs what it should no longer run, and has the heart look. What is said while
/// nobody listens is found by the next beat.
pub(super) async fn listen(life: Arc<Life>, mut epoch: watch::Receiver<Uuid>) {
    loop {
        let subject = stop_subject(*epoch.borrow_and_update(), life.id);
        let mut told = match life.messaging.client().subscribe(subject).await {
            Ok(told) => told,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the worker cannot be told to stop");
                sleep(LISTEN_RETRY).await;
                continue;
            }
        };
        loop {
            tokio::select! {
                message = told.next() => {
                    if message.is_none() {
                        sleep(LISTEN_RETRY).await;
                        break;
                    }
                    life.look.notify_one();
                }
                Ok(()) = epoch.changed() => break,
            }
        }
    }
}
