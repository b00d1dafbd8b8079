//! Keeps the views of one group at the head of the log.
//!
//! Any number of processes run a runner for each group, and elect one leader ([`leader`](crate::leader)). The leader reads
//! what lies behind its checkpoint, in batches, and applies each batch by the statement that moves the checkpoint
//! ([`changes`](crate::changes)): views and checkpoint go forward together, and after a crash back together, so that
//! statement need not wait for the disk (`synchronous_commit=off`). A doorbell wakes it; a timer is the backstop.
//!
//! An event that cannot be applied halts the group: it is never skipped. The halted runner steps back, so that another
//! process, perhaps of a newer version, may try.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::{sync::watch, time::Instant};

use crate::{
    Group,
    changes::{UnusableChange, ViewWriter},
    describe::describe,
    incarnation::Incarnation,
    leader::Election,
    log::{LogError, LogReader, Recorded},
    progress::Progress,
    recent::RecentEvents,
    session,
};

const BATCH: i64 = 1000;
/// How long the database may take over anything; it ends its own statements sooner.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);
/// How long a batch may take at first. One that takes longer, as where millions of rows go with what they belong to, would never be
/// done: each further try has four times as long.
const BATCH_LIMIT: Duration = Duration::from_secs(20);
/// So often the limit grows: to 21 minutes.
const MOST_EXTENSIONS: u32 = 3;
/// How much later than the database the process gives up.
const MARGIN: Duration = Duration::from_secs(5);
/// The pause before another try to lead.
const PAUSE: Duration = Duration::from_millis(100);
const BACKSTOP: Duration = Duration::from_millis(100);
const HALT_PAUSE: Duration = Duration::from_secs(5);
/// From so many events in a batch on the log is busy, and others get so many turns before the next batch is read: each
/// costs the same handful of statements, however many events it holds.
const CROWD: usize = 4;
const TURNS: usize = 16;
/// How often a checkpoint is stored while nothing that passes concerns the group.
const IDLE_CHECKPOINT: Duration = Duration::from_millis(20);

/// What to call when a group has moved, in an incarnation of the server: tells other processes.
pub type Announce = Arc<dyn Fn(&'static str, &Incarnation, i64) + Send + Sync>;

/// Keeps one group's views at the head of the log.
#[derive(Clone)]
pub struct Runner {
    group: Arc<Group>,
    recent: RecentEvents,
    options: PgConnectOptions,
    head: watch::Receiver<i64>,
    progress: Progress,
    announce: Announce,
    election: Election,
    /// How often in a row a batch was not done in time.
    extensions: u32,
}

/// Why a runner stopped leading.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("a batch up to position {position} could not be applied")]
    Apply { position: i64, source: sqlx::Error },
    #[error("a batch up to position {position} could not be applied")]
    Change { position: i64, source: UnusableChange },
    #[error("another process leads")]
    Deposed,
    #[error("the database does not answer")]
    Timeout,
}

impl From<sqlx::Error> for RunError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

impl RunError {
    /// Whether trying again at once may help: the connection broke. Anything else is the log's or the code's fault.
    fn is_passing(&self) -> bool {
        match self {
            Self::Deposed | Self::Timeout => true,
            Self::Log(LogError::Database(error)) | Self::Apply { source: error, .. } => !is_data_error(error),
            Self::Log(_) | Self::Change { .. } => false,
        }
    }

    /// Whether a batch was not done in its time.
    fn is_slow_batch(&self) -> bool {
        match self {
            // query_canceled
            Self::Apply { source: sqlx::Error::Database(error), .. } => {
                error.code().is_some_and(|code| code == "57014")
            }
            Self::Timeout => true,
            _ => false,
        }
    }
}

/// Waits for the database, but not for ever: a connection can be dead without anybody having said so.
async fn answer<T, E>(asked: impl Future<Output = Result<T, E>>) -> Result<T, RunError>
where
    RunError: From<E>,
{
    answer_within(ANSWER_TIMEOUT, asked).await
}

async fn answer_within<T, E>(limit: Duration, asked: impl Future<Output = Result<T, E>>) -> Result<T, RunError>
where
    RunError: From<E>,
{
    match tokio::time::timeout(limit, asked).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(RunError::Timeout),
    }
}

/// Errors that the same statement over the same data gives again.
fn is_data_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            // 57: operator intervention; 53: out of resources; 08: connection; 40: rollback; 55: object in use.
            !error.code().is_some_and(|code| ["57", "53", "08", "40", "55"].iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

impl Runner {
    /// A runner for `group`, woken by `head`, that connects with `options` (whose `search_path` shows the views).
    pub fn new(
        group: Group,
        options: PgConnectOptions,
        head: watch::Receiver<i64>,
        progress: Progress,
        announce: Announce,
        election: Election,
    ) -> Self {
        let (group, recent, extensions) = (Arc::new(group), RecentEvents::default(), 0);
        Self { group, recent, options, head, progress, announce, election, extensions }
    }

    /// The same runner, which takes what this process has just written from memory.
    #[must_use]
    pub fn with_recent(self, recent: RecentEvents) -> Self {
        Self { recent, ..self }
    }

    /// Runs until the task is aborted; aborting at any point leaves views and checkpoint consistent.
    pub async fn run(mut self) {
        loop {
            match self.lead().await {
                Ok(never) => match never {},
                Err(error) if error.is_passing() => {
                    if error.is_slow_batch() {
                        self.extensions = MOST_EXTENSIONS.min(self.extensions + 1);
                    }
                    tracing::warn!(
                        group = self.group.name,
                        error = &error as &dyn std::error::Error,
                        "projection paused"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    self.halt(&error).await;
                    tokio::time::sleep(HALT_PAUSE).await;
                }
            }
        }
    }

    async fn halt(&self, error: &RunError) {
        let reason = describe(error);
        tracing::error!(group = self.group.name, reason, "projection HALTED: its views no longer follow the log");
        self.progress.halted(self.group.name, reason.clone());
        let stored = async {
            let mut connection = session::begin(&self.options).await?;
            sqlx::query(
                "UPDATE projection_checkpoints SET halted_at = position, halt_reason = $2 WHERE projection_group = $1",
            )
            .bind(self.group.name)
            .bind(&reason)
            .execute(&mut connection)
            .await
        };
        if let Err(error) = stored.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the halt could not be stored");
        }
    }

    async fn lead(&mut self) -> Result<std::convert::Infallible, RunError> {
        let mut connection = answer(session::begin(&self.options)).await?;
        answer(sqlx::query("SET synchronous_commit = off").execute(&mut connection)).await?;
        let limit = BATCH_LIMIT * 4_u32.pow(self.extensions);
        let limited = format!("SET statement_timeout = {}", limit.as_millis());
        answer(sqlx::query(&limited).execute(&mut connection)).await?;
        let mut reader = LogReader::new(self.group.reads()).with_recent(self.recent.clone());
        answer(reader.attach(&mut connection)).await?;
        let writer = answer(ViewWriter::prepare(&mut connection, &self.group)).await?;
        let incarnation = answer(Incarnation::of(&mut connection)).await?;
        self.progress.observe(&incarnation);
        let term = self.election.win(&mut connection, self.group.name).await?;
        let mut position = answer(self.checkpoint(&mut connection)).await?;
        tracing::debug!(group = self.group.name, position, "leading");
        let mut stored = position;
        let mut stored_at = Instant::now();
        self.moved(&incarnation, position);
        let mut must_look = true;
        while term.goes_on() {
            // Seen before the read: what rings afterwards is not missed. Where nobody has told of more, the timer looks.
            let head = *self.head.borrow_and_update();
            let entries = if must_look || head > position {
                answer(reader.read(&mut connection, position, i64::MAX, BATCH)).await?
            } else {
                Vec::new()
            };
            must_look = false;
            let read = entries.len();
            let Some(last) = entries.last().map(|entry| entry.position) else {
                if stored < position && stored_at.elapsed() >= IDLE_CHECKPOINT {
                    answer(self.apply((&mut connection, &writer), stored, position, &[])).await?;
                    stored = position;
                    stored_at = Instant::now();
                }
                must_look = self.wait(stored < position).await;
                continue;
            };
            let events: Vec<Recorded> = entries.into_iter().filter_map(|entry| entry.recorded).collect();
            if !events.is_empty() {
                let applied = self.apply((&mut connection, &writer), stored, last, &events);
                answer_within(limit + MARGIN, applied).await?;
                self.extensions = 0;
                stored = last;
                stored_at = Instant::now();
            }
            position = last;
            self.moved(&incarnation, position);
            if read >= CROWD {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
            }
        }
        Err(RunError::Deposed)
    }

    /// Where the group stands.
    async fn checkpoint(&self, connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "INSERT INTO projection_checkpoints AS c (projection_group) VALUES ($1)
             ON CONFLICT (projection_group) DO UPDATE SET position = c.position RETURNING position",
        )
        .bind(self.group.name)
        .fetch_one(connection)
        .await
    }

    /// Applies events and moves the checkpoint, in one statement. That this process still leads needs no look: its lock
    /// lasts as long as the session that this statement is one of, and whoever was deposed has lost both.
    async fn apply(
        &self,
        (connection, writer): (&mut PgConnection, &ViewWriter),
        from: i64,
        to: i64,
        events: &[Recorded],
    ) -> Result<(), RunError> {
        let changes =
            writer.changes(&self.group, events).map_err(|source| RunError::Change { position: to, source })?;
        let moved = writer
            .change_and_move(connection, &self.group, changes, (from, to))
            .await
            .map_err(|source| RunError::Apply { position: to, source })?;
        if moved { Ok(()) } else { Err(RunError::Deposed) }
    }

    fn moved(&self, incarnation: &Incarnation, position: i64) {
        self.progress.resumed(self.group.name);
        self.progress.advance(self.group.name, incarnation, position);
        (self.announce)(self.group.name, incarnation, position);
    }

    /// Waits for the doorbell; `true` when it was the timer.
    async fn wait(&mut self, unstored: bool) -> bool {
        let backstop = if unstored { IDLE_CHECKPOINT } else { BACKSTOP };
        match tokio::time::timeout(backstop, self.head.changed()).await {
            Ok(Ok(())) => false,
            // A closed doorbell leaves the timer.
            Ok(Err(_)) => {
                tokio::time::sleep(backstop).await;
                true
            }
            Err(_) => true,
        }
    }
}
