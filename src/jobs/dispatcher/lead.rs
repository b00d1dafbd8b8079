//! The dispatcher's life: stand for election, lead, step back.

use std::{convert::Infallible, time::Duration};

use futures::future::join_all;
use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    ids::JobId,
    job::Job,
    job_rule::{JobRule, JobRuleEvent},
};
use workroom_projections::{
    describe::describe,
    job_rules, jobs,
    leader::{Election, Term},
    log::{LogError, LogReader},
    session,
};

use super::{
    book::{Book, Effect},
    clock::{self, DatabaseClock},
    entry::Moment,
    gates::RunningLimits,
    interrupt::Interrupter,
    out::Out,
    roll::{Roll, Silent},
};
use crate::{
    application::{App, Error},
    jobs::{
        Pool,
        queue::{Queue, QueueError},
        worker::stop_subject,
    },
    messaging::Messaging,
};

/// The pause before another try to lead.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause before the queue is tried again.
const QUEUE_PAUSE: Duration = Duration::from_millis(250);
/// How often the log is looked at although nobody has told of anything new.
const BACKSTOP: Duration = Duration::from_millis(500);
/// How often the workers are looked at.
const WORKERS: Duration = Duration::from_millis(250);
/// How often what was handed out is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How long the database may take over anything.
const PATIENCE: Duration = Duration::from_secs(8);
/// Events that are read at a time.
const BATCH: i64 = 2000;

/// Hands out attempts while this process is the one elected to.
#[derive(Clone)]
pub struct Dispatcher {
    app: App,
    options: PgConnectOptions,
    messaging: Messaging,
    election: Election,
    epoch: watch::Receiver<Uuid>,
    limits: RunningLimits,
}

/// Why it had to stop.
#[derive(Debug, thiserror::Error)]
pub(super) enum DispatchError {
    #[error("the database failed the dispatcher")]
    Database(#[from] sqlx::Error),
    #[error("the database did not answer the dispatcher in time")]
    DatabaseSilent,
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("a job could not be read, or reported on")]
    App(#[from] Error),
    #[error("another process was elected")]
    Deposed,
    #[error("the database is another one by now")]
    OtherDatabase,
}

/// Insists on an answer in time.
pub(super) async fn answer<T, E: Into<DispatchError>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, DispatchError> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(DispatchError::DatabaseSilent),
    }
}

impl Dispatcher {
    /// A dispatcher that leads by a connection of its own made with `options`.
    pub fn new(
        app: App,
        options: PgConnectOptions,
        messaging: Messaging,
        election: Election,
        epoch: watch::Receiver<Uuid>,
        limits: RunningLimits,
    ) -> Self {
        Self { app, options, messaging, election, epoch, limits }
    }

    /// Runs until the task is aborted.
    pub async fn run(self) {
        let mut known = String::new();
        loop {
            let Err(error) = self.lead().await;
            let reason = describe(&error);
            // Once for each reason, not once for each try.
            if reason != known {
                tracing::warn!(reason, "the dispatcher paused");
                known = reason;
            }
            sleep(PAUSE).await;
        }
    }

    async fn lead(&self) -> Result<Infallible, DispatchError> {
        let mut connection = answer(session::begin(&self.options)).await?;
        let term = self.election.win(&mut connection, "dispatcher").await?;
        let mut leading = Leading::begin(self, connection, term).await?;
        tracing::info!(position = leading.position, open_jobs = leading.book.len(), "the dispatcher leads");
        loop {
            leading.round().await?;
        }
    }

    /// Tells a worker that it runs what it should no longer run. It asks the log what that is.
    async fn stop(&self, worker_id: Uuid) {
        let messaging = &self.messaging;
        if messaging.is_connected() {
            let subject = stop_subject(*self.epoch.borrow(), worker_id);
            if let Err(error) = messaging.client().publish(subject, "".into()).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a worker cannot be told to stop");
            }
        }
    }
}

/// A dispatcher that leads.
struct Leading<'a> {
    dispatcher: &'a Dispatcher,
    connection: PgConnection,
    term: Term,
    /// The generation of the log that is followed.
    generation: u64,
    reader: LogReader,
    head: watch::Receiver<i64>,
    position: i64,
    book: Book,
    clock: DatabaseClock,
    roll: Roll,
    interrupter: Interrupter,
    out: Out,
    queue: Option<Queue>,
    /// The connection to NATS that the queue was opened over.
    nats_generation: u64,
    workers_at: Instant,
    look_at: Instant,
    queue_at: Instant,
}

impl<'a> Leading<'a> {
    async fn begin(
        dispatcher: &'a Dispatcher,
        mut connection: PgConnection,
        term: Term,
    ) -> Result<Self, DispatchError> {
        let log = dispatcher.app.log();
        let generation = log.incarnations().generation();
        let mut reader = LogReader::new(vec![Job::TYPE, JobRule::TYPE]).with_recent(log.recent());
        answer(reader.attach(&mut connection)).await?;
        let (position, open) = answer(jobs::open(dispatcher.app.pool())).await?;
        // They may be newer than that; what is read again in the log ends with the same.
        let rules = answer(job_rules::all(dispatcher.app.pool())).await?;
        let (clock, log_at) = answer(DatabaseClock::ask(&mut connection)).await?;
        let now = Instant::now();
        let mut book = Book::new(dispatcher.limits);
        for (id, rule) in &rules {
            // What has started lately nobody knows any more.
            book.set_rule(*id, rule, false, now);
        }
        for job in &open {
            book.load(job);
        }
        // What was due when the log's last event was recorded stays due, whatever the clock of another server says.
        if let Some(log_at) = log_at {
            book.release(log_at);
        }
        Ok(Self {
            dispatcher,
            connection,
            term,
            generation,
            reader,
            head: log.head(),
            position,
            book,
            clock,
            roll: Roll::default(),
            interrupter: Interrupter::default(),
            out: Out::default(),
            queue: None,
            nats_generation: 0,
            workers_at: now,
            look_at: now,
            queue_at: now,
        })
    }

    /// Follows the log to its end, hands out what fits, and waits for something to happen.
    async fn round(&mut self) -> Result<(), DispatchError> {
        if !self.term.goes_on() {
            return Err(DispatchError::Deposed);
        }
        if self.dispatcher.app.log().incarnations().generation() != self.generation {
            return Err(DispatchError::OtherDatabase);
        }
        // What was handed out on an old state would be refused: first to the end of the log.
        while self.follow().await? {}
        if Instant::now() >= self.workers_at {
            self.look_at_workers().await?;
            self.workers_at = Instant::now() + WORKERS;
        }
        self.book.release(self.clock.now());
        self.book.refill(Instant::now());
        let has_unfinished = self.serve_queue().await.unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "the queue is not available");
            self.queue = None;
            self.queue_at = Instant::now() + QUEUE_PAUSE;
            false
        });
        self.wait(has_unfinished).await;
        Ok(())
    }

    /// Reads on in the log; whether there may be more.
    async fn follow(&mut self) -> Result<bool, DispatchError> {
        if *self.head.borrow_and_update() <= self.position {
            return Ok(false);
        }
        let entries = answer(self.reader.read(&mut self.connection, self.position, i64::MAX, BATCH)).await?;
        let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(false) };
        let mut again = Vec::new();
        for recorded in entries.into_iter().filter_map(|entry| entry.recorded) {
            let at = Moment::of(&recorded);
            let effect = match &recorded.event {
                DomainEventKind::Job(event) => self.book.apply(recorded.aggregate_id, event, at),
                DomainEventKind::JobRule(event) => {
                    match event {
                        JobRuleEvent::JobRuleChanged(rule) => {
                            self.book.set_rule(recorded.aggregate_id, rule, true, Instant::now());
                        }
                        JobRuleEvent::PayloadRedacted(redacted) => {
                            self.book.redact_rule(recorded.aggregate_id, redacted, Instant::now());
                        }
                    }
                    Effect::None
                }
                _ => Effect::None,
            };
            match effect {
                Effect::None => {}
                Effect::Stop { worker_id } => self.dispatcher.stop(worker_id).await,
                Effect::Read { job_id } => again.push((job_id, at.recorded_at)),
            }
        }
        self.position = last;
        let read = join_all(again.into_iter().map(async |(job_id, at)| {
            let job = self.dispatcher.app.job(JobId(job_id)).await;
            job.map(|job| (job_id, job, at))
        }));
        for job in answer(async { Ok::<_, DispatchError>(read.await) }).await? {
            let (job_id, job, at) = job?;
            // What followed in the log is in what was read; it comes again, and changes nothing.
            if job.is_open() {
                self.book.read(job_id, &job, at);
            }
        }
        Ok(true)
    }

    /// Gives up workers that are silent, and interrupts what they ran.
    async fn look_at_workers(&mut self) -> Result<(), DispatchError> {
        let (clock, rows) = answer(clock::look(&mut self.connection)).await?;
        self.clock = clock;
        for Silent { id, beat } in self.roll.look(&rows, self.book.workers(), Instant::now()) {
            if self.give_up(id, beat).await? {
                let held = self.book.held_by(id);
                self.interrupter.interrupt(&self.dispatcher.app, id, held).await?;
            }
        }
        Ok(())
    }

    /// Deletes a worker's row, unless it has spoken meanwhile: it will find that, and begin anew.
    async fn give_up(&mut self, id: Uuid, beat: Option<i64>) -> Result<bool, DispatchError> {
        let gone = "WITH gone AS (DELETE FROM workers WHERE id = $1 AND beat = $2 RETURNING id)
                    SELECT EXISTS (SELECT FROM gone) OR NOT EXISTS (SELECT FROM workers WHERE id = $1)";
        let asked = sqlx::query_scalar(gone).bind(id).bind(beat.unwrap_or(-1));
        let is_gone: bool = answer(asked.fetch_one(&mut self.connection)).await?;
        if is_gone && beat.is_some() {
            tracing::warn!(worker_id = %id, "a worker is lost");
        }
        Ok(is_gone)
    }

    /// Hands out as many attempts as workers have room for; whether more of those that wait have to be looked at.
    async fn serve_queue(&mut self) -> Result<bool, QueueError> {
        let messaging = &self.dispatcher.messaging;
        let connection = *messaging.state().borrow();
        if !connection.connected || Instant::now() < self.queue_at {
            return Ok(false);
        }
        let known = self.queue.take().filter(|_| connection.generation == self.nats_generation);
        let queue = if let Some(queue) = known {
            queue
        } else {
            let queue = Queue::open(messaging.jetstream()).await?;
            if self.nats_generation == 0 {
                queue.empty().await?;
            }
            self.out.attach(&queue, &mut self.book);
            self.nats_generation = connection.generation;
            queue
        };
        let slots = self.roll.slots();
        let mut has_unfinished = false;
        for pool in Pool::ALL {
            while self.book.at_work(pool) < slots[pool]
                && let Some(message) = self.book.take(pool, Instant::now())
            {
                if self.book.has_key(message.job_id) {
                    self.out.publish_with_key(self.dispatcher.app.clone(), queue.clone(), pool, message);
                } else if let Err(error) = self.out.publish(&queue, pool, message).await {
                    self.book.give_back(message);
                    return Err(error);
                }
            }
            has_unfinished |= self.book.at_work(pool) < slots[pool] && self.book.has_unfinished(pool);
        }
        if Instant::now() >= self.look_at {
            self.look_at = Instant::now() + LOOK;
            queue.check().await?;
            self.out.look(&queue, &mut self.book).await?;
        }
        self.queue = Some(queue);
        Ok(has_unfinished)
    }

    /// Waits until something happens; only lets others run when there is more to do at once.
    async fn wait(&mut self, has_unfinished: bool) {
        let until_due = self
            .book
            .next_due()
            .map_or(BACKSTOP, |due_at| Duration::try_from(due_at - self.clock.now()).unwrap_or_default().min(BACKSTOP));
        let until_refill = self
            .book
            .next_refill()
            .map_or(BACKSTOP, |refill| refill.saturating_duration_since(Instant::now()).min(BACKSTOP));
        let until_look = self.workers_at.saturating_duration_since(Instant::now());
        let pause = until_due.min(until_look).min(until_refill);
        let (head, position) = (&mut self.head, self.position);
        tokio::select! {
            // Nobody can tell of anything any more: the timer is left.
            () = async { if head.wait_for(|head| *head > position).await.is_err() { std::future::pending().await } } => {}
            is_in_doubt = self.out.answered(&mut self.book) => if is_in_doubt {
                // It may be gone: opening it makes what is missing.
                self.queue = None;
                self.queue_at = Instant::now() + QUEUE_PAUSE;
            },
            () = async { if has_unfinished { yield_now().await } else { sleep(pause).await } } => {}
        }
    }
}
