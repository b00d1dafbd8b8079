//! The writer: one task a process that commits what has queued up, a batch at a time.

use std::{collections::VecDeque, time::Duration};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use workroom_projections::session;

use super::{
    AppendError, AppendRequest, Appended,
    batch::{self, Admission, Outcome},
};

/// How long the database may take over one batch before its connection is given up for dead.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(8);
/// How long to try to learn what became of a batch whose connection was lost.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(8);
/// How often a batch is sent again after its connection was lost before its commit.
const REPEATS: u32 = 2;
/// How many turns a batch gives to others before it goes, once there is a crowd: every batch costs its own commit, and
/// those who are about to ask would wait for all of it. Turns, not time: an idle process goes at once.
const TURNS: usize = 24;
/// From this many requests in the batch before on, there is a crowd.
const CROWD: usize = 4;
/// Requests looked at for one batch; bounds the work between two commits.
const BATCH_REQUESTS: usize = 1024;

/// A request that waits for its commit.
pub(super) struct Pending {
    pub(super) request: AppendRequest,
    pub(super) reply: oneshot::Sender<Result<Appended, AppendError>>,
    /// Its share of what may wait, given back when it is answered.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Pending {
    fn answer(self, outcome: Result<Appended, AppendError>) {
        // Nobody may be listening any more: the client went away. The events stand all the same.
        let _ = self.reply.send(outcome);
    }
}

pub(super) struct Writer {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    waiting: mpsc::Receiver<Pending>,
    deferred: VecDeque<Pending>,
    head: watch::Sender<i64>,
    batch_events: usize,
    last_batch: usize,
}

/// What happened to a batch that the database was asked to commit.
enum Attempt {
    Done(Outcome),
    Refused(sqlx::Error),
    /// The connection was lost and is back, and it is certain that nothing was committed.
    Repeat,
    /// The database cannot be reached, and it is certain that nothing was committed.
    NotCommitted,
    Unknown,
}

impl Writer {
    pub(super) fn new(
        options: PgConnectOptions,
        waiting: mpsc::Receiver<Pending>,
        head: watch::Sender<i64>,
        batch_events: usize,
    ) -> Self {
        Self { options, connection: None, waiting, deferred: VecDeque::new(), head, batch_events, last_batch: 0 }
    }

    pub(super) async fn run(mut self) {
        loop {
            if self.deferred.is_empty() {
                match self.waiting.recv().await {
                    Some(pending) => self.deferred.push_back(pending),
                    None => break,
                }
            }
            if self.last_batch >= CROWD {
                self.wait_for_company().await;
            }
            let batch = self.gather();
            self.last_batch = batch.len();
            self.commit(batch).await;
        }
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }

    async fn wait_for_company(&self) {
        for _ in 0..TURNS {
            if self.deferred.len() + self.waiting.len() >= 2 * self.last_batch {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes from the queue, in order, all that may share a batch; the rest stays in line for the next one.
    fn gather(&mut self) -> Vec<Pending> {
        let mut admission = Admission::default();
        let mut batch = Vec::new();
        let mut deferred = VecDeque::new();
        for _ in 0..BATCH_REQUESTS {
            if admission.events >= self.batch_events {
                break;
            }
            let Some(pending) = self.deferred.pop_front().or_else(|| self.waiting.try_recv().ok()) else { break };
            if pending.reply.is_closed() {
                // The caller gave up before anything was written: leave it that way.
                continue;
            }
            if admission.admits(&pending.request) {
                batch.push(pending);
            } else {
                deferred.push_back(pending);
            }
        }
        deferred.append(&mut self.deferred);
        self.deferred = deferred;
        batch
    }

    async fn commit(&mut self, mut batch: Vec<Pending>) {
        let mut repeats = 0;
        while !batch.is_empty() {
            match self.attempt(&batch).await {
                Attempt::Repeat if repeats < REPEATS => repeats += 1,
                Attempt::Done(Outcome::Committed { head }) => return self.answer_committed(batch, head),
                Attempt::Done(Outcome::Obstructed(obstacles)) => {
                    let mut rest = Vec::with_capacity(batch.len());
                    for (number, pending) in batch.into_iter().enumerate() {
                        match obstacles.iter().find(|(request, _)| *request == number) {
                            Some((_, obstacle)) => pending.answer(Err((*obstacle).into())),
                            None => rest.push(pending),
                        }
                    }
                    batch = rest;
                }
                Attempt::Refused(error) if batch.len() == 1 => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the database refused an append");
                    if let Some(pending) = batch.pop() {
                        pending.answer(Err(AppendError::Refused(error)));
                    }
                }
                // One bad request must not take down those who happen to share its batch.
                Attempt::Refused(_) => {
                    for pending in batch {
                        Box::pin(self.commit(vec![pending])).await;
                    }
                    return;
                }
                Attempt::NotCommitted | Attempt::Repeat => {
                    return batch.into_iter().for_each(|pending| pending.answer(Err(AppendError::Unavailable)));
                }
                Attempt::Unknown => {
                    return batch.into_iter().for_each(|pending| pending.answer(Err(AppendError::OutcomeUnknown)));
                }
            }
        }
    }

    fn answer_committed(&self, batch: Vec<Pending>, head: i64) {
        let mut position = head;
        for pending in batch {
            position += i64::try_from(pending.request.event_count()).unwrap_or_default();
            pending.answer(Ok(Appended { position }));
        }
        self.head.send_if_modified(|known| {
            let ahead = position > *known;
            *known = position.max(*known);
            ahead
        });
    }

    async fn attempt(&mut self, batch: &[Pending]) -> Attempt {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match tokio::time::timeout(STATEMENT_DEADLINE, session::begin(&self.options)).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the event log cannot be reached");
                    return Attempt::NotCommitted;
                }
                Err(_) => return Attempt::NotCommitted,
            },
        };
        let requests = batch.iter().map(|pending| &pending.request);
        match tokio::time::timeout(STATEMENT_DEADLINE, batch::append(&mut connection, requests)).await {
            Ok(Ok(outcome)) => {
                self.connection = Some(connection);
                Attempt::Done(outcome)
            }
            Ok(Err(sqlx::Error::Database(error))) if !is_connection_loss(error.as_ref()) => {
                self.connection = Some(connection);
                Attempt::Refused(sqlx::Error::Database(error))
            }
            // The connection broke or hung in the middle: the commit may or may not have happened.
            Ok(Err(_)) | Err(_) => self.resolve(batch).await,
        }
    }

    /// Learns from the log itself what became of a batch. Whoever still writes it holds the log's lock, so once this
    /// task has had the lock the answer is final.
    async fn resolve(&mut self, batch: &[Pending]) -> Attempt {
        let Some(first) = batch.iter().find_map(|p| p.request.streams.first()?.events.first()) else {
            return Attempt::NotCommitted;
        };
        let deadline = tokio::time::Instant::now() + RESOLVE_DEADLINE;
        let mut pause = Duration::from_millis(20);
        while tokio::time::Instant::now() < deadline {
            let answer = tokio::time::timeout_at(deadline, async {
                let mut connection = session::begin(&self.options).await?;
                let position = batch::committed_position(&mut connection, first.event_id).await?;
                Ok::<_, sqlx::Error>((connection, position))
            })
            .await;
            match answer {
                Ok(Ok((connection, position))) => {
                    self.connection = Some(connection);
                    return match position {
                        Some(position) => Attempt::Done(Outcome::Committed { head: position - 1 }),
                        None => Attempt::Repeat,
                    };
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "waiting for the event log to come back");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                }
                Err(_) => break,
            }
        }
        Attempt::Unknown
    }
}

/// Errors that the server sends while it closes the connection (SQLSTATE class 57P, and 08).
fn is_connection_loss(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
}
