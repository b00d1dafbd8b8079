//! The leader's loop: it follows the log in batches, and signs what it has taken in.
//!
//! It is woken by the same doorbell as the views, and takes what this process has just written from memory. It remembers the
//! right edge of the log's tree, and nothing else: whatever goes wrong, it begins again from what the database holds.

use std::{convert::Infallible, time::Duration};

use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;
use workroom_projections::{
    describe::describe,
    leader::{Election, Term},
    log,
    recent::RecentEvents,
    session,
};
use workroom_proofs::{entry::Salt, frontier::Frontier, hash::Hash, tree};

use super::{
    SignedCheckpoint, TreeError, Trees, checkpoint, from_stored,
    integrate::{self, Event, Hashed, Unusable},
    store::{self, Added, Standing},
};

/// The name of the election.
const NAME: &str = "log_tree";
/// The pause before another try to lead.
const PAUSE: Duration = Duration::from_millis(100);
/// The same after what another try does not mend.
const HALT_PAUSE: Duration = Duration::from_secs(5);
/// How long the database may take over one statement.
const DEADLINE: Duration = Duration::from_secs(15);
/// How often the log is looked at without a doorbell.
const BACKSTOP: Duration = Duration::from_millis(500);
/// How long events gather before the next batch, where the log is not behind: each batch costs the same few statements, and rows for
/// each feed in it.
const GATHERING: Duration = Duration::from_millis(200);
/// How long, at least, there is between two checkpoints: each batch has one.
const SIGNING: Duration = GATHERING;
/// How often old checkpoints are thinned out.
const THINNING: Duration = Duration::from_mins(1);
/// Events, and their bytes, that are taken in at a time; two batches are in memory.
const BATCH: usize = 4096;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How the tree of this process is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct TreeStatus {
    /// Whether this process leads.
    pub(crate) leading: bool,
    /// Whether it cannot go on by itself.
    pub(crate) halted: bool,
    /// What went wrong last, until something goes well.
    pub(crate) last_error: Option<String>,
    /// Why checkpoints are not in their folder.
    pub(crate) folder_error: Option<String>,
}

/// Why the leader stepped back.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Log(#[from] Unusable),
    #[error("the tree holds {size} events, and the log {head}: history was taken away")]
    Ahead { size: i64, head: i64 },
    #[error("the feed {feed_id} does not go on where the tree has its end: history was changed")]
    Broken { feed_id: Uuid },
    #[error("the tree or the log is not as it was read")]
    Overtaken,
    #[error("the database did not answer in time")]
    Silent,
    #[error("the system gives no randomness")]
    NoRandomness,
    #[error("hashing was aborted")]
    Aborted,
    #[error("another process was elected")]
    Deposed,
}

impl From<sqlx::Error> for FollowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Tree(error.into())
    }
}

impl FollowError {
    /// Whether the log or the tree is at fault, so that another try will not mend it.
    fn is_final(&self) -> bool {
        match self {
            Self::Tree(TreeError::Database(error)) => store::is_taken(error),
            Self::Tree(_) | Self::Log(_) | Self::Ahead { .. } | Self::Broken { .. } => true,
            Self::Overtaken | Self::Silent | Self::NoRandomness | Self::Aborted | Self::Deposed => false,
        }
    }
}

/// Keeps the trees while this process is the one elected to.
#[derive(Clone)]
pub(crate) struct LogTree {
    trees: Trees,
    options: PgConnectOptions,
    head: watch::Receiver<i64>,
    recent: RecentEvents,
    election: Election,
    status: watch::Sender<TreeStatus>,
    signed: watch::Sender<Option<SignedCheckpoint>>,
}

/// What a leader remembers.
struct Edge {
    log_id: Uuid,
    epoch: Uuid,
    server: String,
    frontier: Frontier,
    /// The size of the tree that was signed last.
    signed: i64,
    signed_at: Option<Instant>,
}

impl Edge {
    fn size(&self) -> i64 {
        super::to_stored(self.frontier.size())
    }

    /// When the tree is to be signed; none while there is nothing new.
    fn due(&self) -> Option<Duration> {
        let waited = self.signed_at.map(|at| at.elapsed());
        (self.size() > self.signed).then(|| waited.map_or(Duration::ZERO, |waited| SIGNING.saturating_sub(waited)))
    }
}

impl LogTree {
    /// Reads by `trees`, whose connections nobody else should use up; leads by a connection of its own made with `options`,
    /// and is woken by `head`.
    pub(crate) fn new(
        trees: Trees,
        options: PgConnectOptions,
        head: watch::Receiver<i64>,
        recent: RecentEvents,
        election: Election,
    ) -> Self {
        let (status, signed) = (watch::Sender::default(), watch::Sender::default());
        Self { trees, options, head, recent, election, status, signed }
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> watch::Sender<TreeStatus> {
        self.status.clone()
    }

    /// What it signed last.
    pub(crate) fn signed(&self) -> watch::Receiver<Option<SignedCheckpoint>> {
        self.signed.subscribe()
    }

    /// Runs until the task is aborted; aborting at any point leaves the trees consistent.
    pub(crate) async fn run(mut self) {
        loop {
            let Err(error) = self.lead().await;
            let halted = error.is_final();
            let reason = describe(&error);
            let is_known = self.status.borrow().last_error.as_ref() == Some(&reason);
            if is_known {
                tracing::debug!(reason, "the log tree paused");
            } else if halted {
                tracing::error!(reason, "the log tree HALTED: nothing more is signed");
            } else {
                tracing::warn!(reason, "the log tree paused");
            }
            self.status.send_modify(|status| {
                (status.leading, status.halted, status.last_error) = (false, halted, Some(reason));
            });
            sleep(if halted { HALT_PAUSE } else { PAUSE }).await;
        }
    }

    async fn lead(&mut self) -> Result<Infallible, FollowError> {
        let mut connection = answer(session::begin(&self.options)).await?;
        let term = self.election.win(&mut connection, NAME).await?;
        let mut edge = self.edge(&mut connection).await?;
        tracing::info!(size = edge.size(), signed = edge.signed, "the log tree is led here");
        // Whether what went wrong before is over will be seen.
        self.status.send_modify(|status| status.leading = true);
        self.follow(&mut connection, &term, &mut edge).await
    }

    /// Where the database says that the trees stand; what was signed must still be so. All is asked on the leader's own connection:
    /// others may still lead to the server that was there before.
    async fn edge(&self, connection: &mut PgConnection) -> Result<Edge, FollowError> {
        let server = answer(log::server(&mut *connection)).await?;
        let Standing { log_id, size, head, epoch, signed, .. } = answer(store::standing(&mut *connection)).await?;
        if size > head {
            return Err(FollowError::Ahead { size, head });
        }
        let size = from_stored(size);
        // It may be another server than before.
        self.trees.forget();
        let hashes = cover(connection, size).await?;
        let frontier = Frontier::from_nodes(size, &hashes).ok_or(TreeError::Unreadable("the edge of the tree"))?;
        if let Some(last) = checkpoint::latest(&mut *connection).await? {
            let is_same = last.size <= size && tree::root_of_cover(&cover(connection, last.size).await?) == last.root;
            if !is_same {
                return Err(TreeError::Changed { size: last.size }.into());
            }
            self.signed.send_replace(Some(last));
        }
        Ok(Edge { log_id, epoch, server, frontier, signed, signed_at: None })
    }

    async fn follow(
        &mut self,
        connection: &mut PgConnection,
        term: &Term,
        edge: &mut Edge,
    ) -> Result<Infallible, FollowError> {
        let mut thinned: Option<Instant> = None;
        let mut ahead: Option<Vec<Event>> = None;
        while term.goes_on() {
            let events = match ahead.take() {
                Some(events) => events,
                None => self.read(edge.size(), &edge.server).await?,
            };
            let is_idle = events.is_empty();
            if !is_idle {
                ahead = self.take_in(connection, edge, events).await?;
            }
            if edge.due().is_some_and(|due| due.is_zero()) {
                self.sign(connection, edge).await?;
            }
            if thinned.is_none_or(|at| at.elapsed() >= THINNING) {
                answer(checkpoint::thin(&mut *connection)).await?;
                thinned = Some(Instant::now());
            }
            if is_idle {
                self.wait(connection, edge).await?;
                continue;
            }
            self.going_well();
            if ahead.is_none() {
                sleep(GATHERING).await;
            }
        }
        Err(FollowError::Deposed)
    }

    /// Events behind `after`, from memory where they are there.
    async fn read(&self, after: i64, server: &str) -> Result<Vec<Event>, FollowError> {
        let recent = self.recent.after(server, after, BATCH, BATCH_BYTES);
        if !recent.is_empty() {
            return Ok(recent.iter().map(|event| Event::from(event.as_ref())).collect());
        }
        answer(store::read(self.trees.pool(), after, BATCH, BATCH_BYTES)).await
    }

    /// Takes a batch into the trees; returns the next one where there is more to come, which was read meanwhile.
    async fn take_in(
        &self,
        connection: &mut PgConnection,
        edge: &mut Edge,
        events: Vec<Event>,
    ) -> Result<Option<Vec<Event>>, FollowError> {
        let (after, count) = (edge.size(), events.len());
        let bytes: usize = events.iter().map(Event::bytes).sum();
        let is_backlog = count >= BATCH || bytes >= BATCH_BYTES;
        let behind = events.last().map_or(after, |event| event.position);
        let (log_id, epoch) = (edge.log_id, edge.epoch);
        let added = async {
            let hashed = hash(events, after, log_id, epoch).await?;
            let needed = hashed.needed();
            let stored = timeout(DEADLINE, store::stored(&mut *connection, &needed));
            let stored = stored.await.map_err(|_| FollowError::Silent)??;
            let nodes = hashed.nodes(&stored)?;
            // What does not fit is read anew: the epoch may be another one, too.
            match answer(store::add(&mut *connection, &hashed, &nodes, epoch)).await? {
                Added::Whole => Ok(hashed),
                Added::Overtaken => Err(FollowError::Overtaken),
                Added::Broken(feed_id) => Err(FollowError::Broken { feed_id }),
            }
        };
        let next = async { if is_backlog { self.read(behind, &edge.server).await.map(Some) } else { Ok(None) } };
        let (added, next) = tokio::join!(added, next);
        for leaf in added?.leaves {
            edge.frontier.push(leaf);
        }
        Ok(next?.filter(|events| !events.is_empty()))
    }

    async fn sign(&self, connection: &mut PgConnection, edge: &mut Edge) -> Result<(), FollowError> {
        let (size, root) = (edge.frontier.size(), edge.frontier.root());
        let signed = checkpoint::sign_and_store(connection, edge.log_id, size, root);
        let signed = timeout(DEADLINE, signed).await.map_err(|_| FollowError::Silent)??;
        (edge.signed, edge.signed_at) = (edge.size(), Some(Instant::now()));
        self.signed.send_replace(Some(signed));
        Ok(())
    }

    /// Waits until the log seems to go on, until the tree is to be signed, or for a while. Asks the database a little question,
    /// for a lock lasts only as long as its connection.
    async fn wait(&mut self, connection: &mut PgConnection, edge: &Edge) -> Result<(), FollowError> {
        let after = edge.size();
        let patience = edge.due().unwrap_or(BACKSTOP).min(BACKSTOP);
        if *self.head.borrow() > after {
            // The doorbell promises what the log does not hold: trust the timer.
            sleep(patience).await;
        } else {
            let rung = async { self.head.wait_for(|head| *head > after).await.is_ok() };
            match timeout(patience, rung).await {
                Ok(true) => return Ok(()),
                // Nobody can ring any more: the timer is left.
                Ok(false) => sleep(patience).await,
                Err(_) => {}
            }
        }
        let Standing { size, head, epoch, .. } = answer(store::standing(&mut *connection)).await?;
        if size > head {
            return Err(FollowError::Ahead { size, head });
        }
        if size != after || epoch != edge.epoch {
            return Err(FollowError::Overtaken);
        }
        self.going_well();
        Ok(())
    }

    fn going_well(&self) {
        self.status.send_if_modified(|status| {
            let is_news = !status.leading || status.halted || status.last_error.is_some();
            (status.leading, status.halted, status.last_error) = (true, false, None);
            is_news
        });
    }
}

/// The hashes of the subtrees that cover the log's tree of a size, as they are stored.
async fn cover(connection: &mut PgConnection, size: u64) -> Result<Vec<Hash>, FollowError> {
    let edge = integrate::edge(size);
    let stored = timeout(DEADLINE, store::stored(connection, &edge)).await.map_err(|_| FollowError::Silent)??;
    Ok(integrate::cover_of_edge(&edge, &stored)?)
}

/// Hashes a batch where it holds up nobody.
async fn hash(events: Vec<Event>, after: i64, log_id: Uuid, epoch: Uuid) -> Result<Hashed, FollowError> {
    let hashed = tokio::task::spawn_blocking(move || {
        let salts = salts(events.len())?;
        Ok(integrate::hash(&events, after, log_id, epoch, salts)?)
    });
    let hashed: Result<Option<Hashed>, FollowError> = hashed.await.map_err(|_| FollowError::Aborted)?;
    hashed?.ok_or(FollowError::Overtaken)
}

fn salts(count: usize) -> Result<Vec<Salt>, FollowError> {
    let mut salts = vec![[0_u8; 16]; count];
    aws_lc_rs::rand::fill(salts.as_flattened_mut()).map_err(|_| FollowError::NoRandomness)?;
    Ok(salts)
}

/// An answer of the database, in time.
async fn answer<T>(question: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, FollowError> {
    match timeout(DEADLINE, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(FollowError::Silent),
    }
}

/// How far behind the tree is, for people: the events that are not signed yet, and since when the first of them waits.
#[derive(Clone, Copy, Debug, PartialEq, sqlx_macros::FromRow)]
pub(crate) struct Lag {
    /// Events in the log.
    pub(crate) head: i64,
    /// Events in the tree.
    pub(crate) size: i64,
    /// Events in the tree that was signed last.
    pub(crate) signed: i64,
    /// Seconds since that was signed.
    pub(crate) age: Option<f64>,
    /// Seconds since the first event was recorded that is not signed.
    pub(crate) waits: Option<f64>,
}

/// How far behind the tree is.
pub(crate) async fn lag(pool: &PgPool) -> Result<Lag, sqlx::Error> {
    sqlx::query_as(
        "WITH checkpoint AS (SELECT size, signed_at FROM log_checkpoints ORDER BY size DESC LIMIT 1),
              signed AS (SELECT COALESCE((SELECT size FROM checkpoint), 0) AS size)
         SELECT COALESCE((SELECT position FROM events ORDER BY position DESC LIMIT 1), 0) AS head,
                COALESCE((SELECT position FROM log_leaves ORDER BY position DESC LIMIT 1), 0) AS size,
                signed.size AS signed,
                (SELECT extract(epoch FROM clock_timestamp() - signed_at)::float8 FROM checkpoint) AS age,
                (SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8 FROM events e
                 WHERE e.position = signed.size + 1) AS waits
         FROM signed",
    )
    .fetch_one(pool)
    .await
}
