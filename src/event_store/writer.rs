//! Those who write the log: one task a process that commits what has queued up, a batch at a time; and a few that commit what
//! comes with changes of tables, each by itself, so that a slow lock of a row holds up nobody else.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    AppendError, AppendRequest, Appended, Shared,
    batch::{Admission, Batch, Columns},
    session::{Attempt, Committed, Session},
    settlement::{Settled, Settlement},
    yields::Yields,
};

/// How often an append is sent again after its connection was lost before its commit.
const MAX_REPEATS: u32 = 2;
/// How often a batch yields to other tasks before it goes, once batches are large: every batch costs its own commit, and
/// those who are about to ask would wait for all of it. Yields, not time: an idle process goes at once.
const LINGER_YIELDS: usize = 24;
/// From this many requests in the batch before on, a batch lingers.
const LINGER_FROM: usize = 4;
/// Requests looked at for one batch; bounds the work between two commits.
const BATCH_REQUESTS: usize = 1024;
/// Tasks that commit what comes with changes of tables.
const TABLE_WRITERS: usize = 4;

/// A request that waits for its commit.
pub(super) struct Pending {
    pub(super) request: AppendRequest,
    pub(super) settlement: Settlement,
    reply: Option<oneshot::Sender<Result<Appended, AppendError>>>,
    /// Its share of what may wait, given back when it is answered.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

pub(super) type Answer = oneshot::Receiver<Result<Appended, AppendError>>;

impl Pending {
    pub(super) fn new(request: AppendRequest) -> (Self, Answer) {
        let (reply, answer) = oneshot::channel();
        (Self { request, settlement: Settlement::new(), reply: Some(reply), permit: None }, answer)
    }

    pub(super) fn answer(mut self, outcome: Result<Appended, AppendError>) {
        self.settlement.settle(if outcome.is_ok() { Settled::Committed } else { Settled::Failed });
        if let Some(reply) = self.reply.take() {
            // Nobody may be listening any more: the client went away. The events stand all the same.
            let _ = reply.send(outcome);
        }
    }

    /// Whether the caller gave up. Before anything is written it is left that way.
    fn is_given_up(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Whether it was decided on what is no longer remembered.
    fn is_outdated(&self, generation: u64) -> bool {
        self.request.generation.is_some_and(|own| own != generation)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // What was never answered was not committed as far as anybody knows; the first word counts.
        self.settlement.settle(Settled::Failed);
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    session: Session,
    waiting: mpsc::Receiver<Pending>,
    deferred: VecDeque<Pending>,
    yields: Yields,
    last_batch: usize,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, waiting: mpsc::Receiver<Pending>) -> Self {
        let session = shared.session();
        Self { shared, session, waiting, deferred: VecDeque::new(), yields: Yields::default(), last_batch: 0 }
    }

    pub(super) async fn run(mut self) {
        loop {
            if self.deferred.is_empty() {
                match self.waiting.recv().await {
                    Some(pending) => self.deferred.push_back(pending),
                    None => break,
                }
            }
            if self.last_batch >= LINGER_FROM {
                self.linger().await;
            }
            let batch = self.gather();
            self.last_batch = batch.len();
            if batch.is_empty() && !self.deferred.is_empty() {
                self.rest().await;
                continue;
            }
            self.commit(batch).await;
        }
        self.session.close().await;
    }

    async fn linger(&self) {
        for _ in 0..LINGER_YIELDS {
            if self.deferred.len() + self.waiting.len() >= 2 * self.last_batch {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until something that waits may go, or something else comes.
    async fn rest(&mut self) {
        let until = self.yields.next();
        match timeout_at(until, self.waiting.recv()).await {
            Ok(Some(pending)) => self.deferred.push_back(pending),
            // Nobody asks any more; what waits is still to be done.
            Ok(None) => sleep_until(until).await,
            Err(_) => {}
        }
    }

    /// Takes from the queue, in order, all that may share a batch; the rest stays in line for the next one.
    fn gather(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut deferred = VecDeque::new();
        for _ in 0..BATCH_REQUESTS {
            if batch.events() >= self.shared.limits.batch_events {
                break;
            }
            let Some(pending) = self.deferred.pop_front().or_else(|| self.waiting.try_recv().ok()) else { break };
            if pending.is_given_up() {
                continue;
            }
            match batch.admission(&pending) {
                Admission::Joins if self.yields.rests(&pending.request) => deferred.push_back(pending),
                Admission::Joins => batch.join(pending),
                Admission::Waits => deferred.push_back(pending),
                Admission::Conflicts => pending.answer(Err(AppendError::Conflict)),
            }
        }
        deferred.append(&mut self.deferred);
        self.deferred = deferred;
        batch
    }

    async fn commit(&mut self, mut batch: Batch) {
        let mut repeats = 0;
        while !batch.is_empty() {
            let Some(incarnation) = self.session.incarnation().await else {
                return answer_all(batch, || AppendError::Unavailable);
            };
            let generation = incarnation.generation;
            if batch.pendings().iter().any(|pending| pending.is_outdated(generation)) {
                let (outdated, rest) = batch.into_pendings().into_iter().partition(|p| p.is_outdated(generation));
                answer_all(Batch::of(outdated), || AppendError::Conflict);
                // Whoever built on those fails with them.
                batch = Batch::of(rest).without(&super::batch::Obstacles::default());
                continue;
            }
            let columns = batch.columns(&self.shared.heads, generation);
            let (feeds, feed_events) = (columns.feed_id.clone(), columns.feed_events.clone());
            let begun = Instant::now();
            match self.session.append(columns, &[]).await {
                Attempt::Committed(committed) => {
                    self.yields.won(batch.written(), begun.elapsed());
                    let feeds = Feeds { ids: feeds, events: feed_events };
                    return self.answer_committed(generation, batch, &committed, &feeds);
                }
                Attempt::Obstructed(obstacles) => {
                    self.yields.lost(&obstacles.aggregates);
                    let before = batch.len();
                    batch = batch.without(&obstacles);
                    // Nobody was in the way: asking again would not end.
                    if batch.len() == before {
                        return answer_all(batch, || AppendError::Unavailable);
                    }
                }
                Attempt::Lost | Attempt::Outdated if repeats < MAX_REPEATS => repeats += 1,
                Attempt::Refused(error) if batch.len() == 1 => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the database refused an append");
                    if let Some(pending) = batch.into_pendings().pop() {
                        pending.answer(Err(AppendError::Refused(error)));
                    }
                    return;
                }
                // One bad request must not take down those who happen to share its batch.
                Attempt::Refused(_) => {
                    for pending in batch.into_pendings() {
                        let alone = Batch::of(vec![pending]).without(&super::batch::Obstacles::default());
                        Box::pin(self.commit(alone)).await;
                    }
                    return;
                }
                Attempt::NotReached
                | Attempt::Lost
                | Attempt::Outdated
                | Attempt::TableRefused(_)
                | Attempt::ReceiptExists => {
                    return answer_all(batch, || AppendError::Unavailable);
                }
                Attempt::Unknown => return answer_all(batch, || AppendError::OutcomeUnknown),
            }
        }
    }

    fn answer_committed(&self, generation: u64, batch: Batch, committed: &Committed, feeds: &Feeds) {
        let sequences: Vec<_> = batch.sequences().collect();
        let mut pendings = batch.into_pendings();
        let counts: Vec<usize> = pendings.iter().map(|pending| pending.request.event_count()).collect();
        let requests = pendings.iter_mut().map(|pending| std::mem::take(&mut pending.request)).collect();
        self.shared.committed(generation, committed, sequences.into_iter(), feeds, requests);
        let mut position = committed.head;
        for (pending, count) in pendings.into_iter().zip(counts) {
            position += i64::try_from(count).unwrap_or_default();
            pending.answer(Ok(Appended { position }));
        }
    }
}

/// The feeds of an append, and how many events went to each.
pub(super) struct Feeds {
    pub(super) ids: Vec<uuid::Uuid>,
    pub(super) events: Vec<i32>,
}

fn answer_all(batch: Batch, error: impl Fn() -> AppendError) {
    batch.into_pendings().into_iter().for_each(|pending| pending.answer(Err(error())));
}

/// Starts those who commit what comes with changes of tables.
pub(super) fn start_table_writers(shared: &Arc<Shared>, waiting: mpsc::Receiver<Pending>) {
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..TABLE_WRITERS {
        let (shared, waiting) = (Arc::clone(shared), Arc::clone(&waiting));
        tokio::spawn(async move {
            let mut session = shared.session();
            loop {
                let next = waiting.lock().await.recv().await;
                let Some(pending) = next else { break };
                if !pending.is_given_up() {
                    commit_with_tables(&shared, &mut session, pending).await;
                }
            }
            session.close().await;
        });
    }
}

async fn commit_with_tables(shared: &Shared, session: &mut Session, mut pending: Pending) {
    for settlement in &pending.request.depends_on {
        if !settlement.committed().await {
            return pending.answer(Err(AppendError::Conflict));
        }
    }
    for _ in 0..=MAX_REPEATS {
        let Some(incarnation) = session.incarnation().await else { break };
        let generation = incarnation.generation;
        if pending.is_outdated(generation) {
            return pending.answer(Err(AppendError::Conflict));
        }
        let request = &pending.request;
        let columns = Columns::of_one(request, &shared.heads, generation);
        let feeds = Feeds { ids: columns.feed_id.clone(), events: columns.feed_events.clone() };
        let outcome = match session.append(columns, &request.tables).await {
            Attempt::Committed(committed) => {
                let position = committed.head + i64::try_from(request.event_count()).unwrap_or_default();
                let sequences: Vec<_> = request.sequences().collect();
                let request = std::mem::take(&mut pending.request);
                shared.committed(generation, &committed, sequences.into_iter(), &feeds, vec![request]);
                return pending.answer(Ok(Appended { position }));
            }
            Attempt::Lost | Attempt::Outdated => continue,
            Attempt::Obstructed(_) => AppendError::Conflict,
            Attempt::ReceiptExists => AppendError::ReceiptExists,
            Attempt::TableRefused(number) => AppendError::TableRefused(number),
            Attempt::Refused(error) => AppendError::Refused(error),
            Attempt::NotReached => AppendError::Unavailable,
            Attempt::Unknown => AppendError::OutcomeUnknown,
        };
        return pending.answer(Err(outcome));
    }
    pending.answer(Err(AppendError::Unavailable));
}
