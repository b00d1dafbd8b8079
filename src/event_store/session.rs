//! A session of the log's own: a connection that appends, whose end can be made sure of.
//!
//! When a connection breaks, a statement that was sent may still be waiting somewhere to be run. So before anybody is told what became of an
//! append, its backend is ended from another connection; after that the log's answer is final.

use std::{collections::HashSet, time::Duration};

use sqlx::{PgConnection, Row, postgres::PgConnectOptions};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::{
    TableStatement,
    batch::{Columns, Obstacles},
    incarnation::{Incarnation, IncarnationWatch},
};
use crate::backoff::Backoff;

/// How long the database may take over one append before its connection is given up for dead.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long to try to learn what became of an append whose connection was lost.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(8);

const ARGUMENTS: usize = 26;

/// The backend at the other end of a connection.
#[derive(Clone, Debug)]
struct Backend {
    pid: i32,
    /// When it started: a number may be given to another one later.
    started: String,
}

struct Open {
    connection: PgConnection,
    backend: Backend,
    incarnation: std::sync::Arc<Incarnation>,
}

/// Appends over a connection of its own, which it makes when it needs it.
pub(super) struct Session {
    options: PgConnectOptions,
    watch: IncarnationWatch,
    open: Option<Open>,
}

/// The events are committed.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    /// The head of the log before.
    pub(super) head: i64,
    /// Their time; unknown when they were found after a lost connection.
    pub(super) recorded_at: Option<OffsetDateTime>,
    /// The last `feed_seq` of each feed before; as `recorded_at`.
    pub(super) places: Vec<i64>,
}

/// What came of asking for an append.
pub(super) enum Attempt {
    Committed(Committed),
    Obstructed(Obstacles),
    /// The receipt of the one request exists.
    ReceiptExists,
    /// What was remembered belongs to another server or epoch: nothing is committed, decide anew.
    Outdated,
    Refused(sqlx::Error),
    TableRefused(usize),
    /// The connection was lost, and it is certain that nothing was committed and nothing will be.
    Lost,
    /// The database cannot be reached, and it is certain that nothing was committed.
    NotReached,
    Unknown,
}

impl Session {
    pub(super) fn new(options: PgConnectOptions, watch: IncarnationWatch) -> Self {
        Self { options, watch, open: None }
    }

    /// The incarnation that the next append goes to.
    pub(super) async fn incarnation(&mut self) -> Option<std::sync::Arc<Incarnation>> {
        if let Some(open) = self.open.as_ref().filter(|open| open.incarnation.generation == self.watch.generation()) {
            return Some(std::sync::Arc::clone(&open.incarnation));
        }
        // Whatever this one did is settled: it may go.
        self.open = None;
        match timeout(STATEMENT_TIMEOUT, connect(&self.options, &self.watch)).await {
            Ok(Ok(open)) => Some(std::sync::Arc::clone(&self.open.insert(open).incarnation)),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the event log cannot be reached");
                None
            }
            Err(_) => None,
        }
    }

    /// Asks for an append of these columns, with these changes of tables before it.
    pub(super) async fn append(&mut self, columns: Columns<'_>, tables: &[TableStatement]) -> Attempt {
        let Some(mut open) = self.open.take() else { return Attempt::NotReached };
        let first = columns.event_id.first().copied();
        let asked = Asked::of(&columns);
        match timeout(STATEMENT_TIMEOUT, run(&mut open, columns, tables)).await {
            Ok(Ok(row)) => {
                let attempt = asked.read(&row).unwrap_or_else(Attempt::Refused);
                // An outdated session asks again who is there.
                self.open = (!matches!(attempt, Attempt::Outdated)).then_some(open);
                attempt
            }
            Ok(Err(sqlx::Error::Database(error))) if !is_connection_loss(error.as_ref()) => {
                self.open = Some(open);
                refused(error)
            }
            // The connection broke or hung in the middle: the commit may or may not have happened.
            Ok(Err(_)) | Err(_) => match first {
                Some(first) => self.resolve(open, first).await,
                None => Attempt::Unknown,
            },
        }
    }

    /// Learns from the log itself what became of an append, once nobody can carry it out any more.
    async fn resolve(&mut self, lost: Open, first: Uuid) -> Attempt {
        let Open { connection, backend, .. } = lost;
        drop(connection);
        let deadline = Instant::now() + RESOLVE_TIMEOUT;
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
        while Instant::now() < deadline {
            let answer = timeout_at(deadline, async {
                let mut open = connect(&self.options, &self.watch).await?;
                end_backend(&mut open.connection, &backend).await?;
                let position: Option<i64> = sqlx::query_scalar("SELECT position FROM events WHERE event_id = $1")
                    .bind(first)
                    .fetch_optional(&mut open.connection)
                    .await?;
                Ok::<_, sqlx::Error>((open, position))
            });
            match answer.await {
                Ok(Ok((open, position))) => {
                    self.open = Some(open);
                    return match position {
                        Some(position) => {
                            Attempt::Committed(Committed { head: position - 1, recorded_at: None, places: Vec::new() })
                        }
                        None => Attempt::Lost,
                    };
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "waiting for the event log to come back");
                    sleep(backoff.pause()).await;
                }
                Err(_) => break,
            }
        }
        Attempt::Unknown
    }

    pub(super) async fn close(self) {
        if let Some(open) = self.open {
            let _ = sqlx::Connection::close(open.connection).await;
        }
    }
}

async fn connect(options: &PgConnectOptions, watch: &IncarnationWatch) -> Result<Open, sqlx::Error> {
    let mut connection = workroom_projections::session::begin(options).await?;
    let incarnation = watch.verify(&mut connection).await?;
    let row =
        sqlx::query("SELECT pid, backend_start::text AS started FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            .fetch_one(&mut connection)
            .await?;
    let backend = Backend { pid: row.try_get("pid")?, started: row.try_get("started")? };
    Ok(Open { connection, backend, incarnation })
}

/// Ends a backend, and waits until it is gone: whatever it had begun is then committed or never will be.
async fn end_backend(connection: &mut PgConnection, backend: &Backend) -> Result<(), sqlx::Error> {
    loop {
        let ended: Option<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
        )
        .bind(backend.pid)
        .bind(&backend.started)
        .fetch_optional(&mut *connection)
        .await?;
        if ended.is_none_or(|ended| ended) {
            return Ok(());
        }
    }
}

async fn run(
    open: &mut Open,
    columns: Columns<'_>,
    tables: &[TableStatement],
) -> Result<sqlx::postgres::PgRow, sqlx::Error> {
    let sql = if tables.is_empty() { &*BATCH } else { &*WITH_TABLES };
    let mut query = sqlx::query(sql);
    if !tables.is_empty() {
        query = query
            .bind(tables.iter().map(|change| change.sql).collect::<Vec<_>>())
            .bind(tables.iter().map(|change| change.arguments.as_str()).collect::<Vec<_>>())
            .bind(tables.iter().map(|change| change.is_required).collect::<Vec<_>>());
    }
    query
        .bind(&open.incarnation.server)
        .bind(open.incarnation.epoch)
        .bind(columns.known_head)
        .bind(columns.known_checks)
        .bind(columns.check_type)
        .bind(columns.check_id)
        .bind(columns.check_sequence)
        .bind(columns.feed_id)
        .bind(columns.feed_place)
        .bind(columns.event_id)
        .bind(columns.event_feed)
        .bind(columns.event_feed_offset)
        .bind(columns.aggregate_type)
        .bind(columns.aggregate_id)
        .bind(columns.sequence)
        .bind(columns.event_type)
        .bind(columns.event_version)
        .bind(columns.payload)
        .bind(columns.metadata)
        .bind(columns.principal)
        .bind(columns.key)
        .bind(columns.fingerprint)
        .bind(columns.status)
        .bind(columns.headers)
        .bind(columns.body)
        .bind(columns.receipt_event_offset)
        .fetch_one(&mut open.connection)
        .await
}

static BATCH: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| call("append_batch", ARGUMENTS));
static WITH_TABLES: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| call("append_with_tables", ARGUMENTS + 3));

fn call(function: &str, arguments: usize) -> String {
    let arguments: Vec<String> = (1..=arguments).map(|number| format!("${number}")).collect();
    format!("SELECT outcome, head, recorded_at, items, places FROM {function}({})", arguments.join(", "))
}

/// What was asked, to read the answer by.
struct Asked {
    checks: Vec<super::heads::Key>,
    receipts: Vec<(Uuid, String)>,
}

impl Asked {
    fn of(columns: &Columns<'_>) -> Self {
        let keys = columns.key.iter().map(|key| (*key).to_owned());
        Self { checks: columns.checks.clone(), receipts: columns.principal.iter().copied().zip(keys).collect() }
    }

    fn read(&self, row: &sqlx::postgres::PgRow) -> Result<Attempt, sqlx::Error> {
        let items = || -> Result<Vec<usize>, sqlx::Error> {
            let items: Option<Vec<i32>> = row.try_get("items")?;
            Ok(items.unwrap_or_default().into_iter().filter_map(|item| usize::try_from(item - 1).ok()).collect())
        };
        Ok(match row.try_get::<i32, _>("outcome")? {
            0 => Attempt::Committed(Committed {
                head: row.try_get("head")?,
                recorded_at: row.try_get("recorded_at")?,
                places: row.try_get::<Option<Vec<i64>>, _>("places")?.unwrap_or_default(),
            }),
            1 => {
                let aggregates = items()?.into_iter().filter_map(|item| self.checks.get(item).copied()).collect();
                Attempt::Obstructed(Obstacles { aggregates, receipts: HashSet::new() })
            }
            2 => {
                let receipts = items()?.into_iter().filter_map(|item| self.receipts.get(item).cloned()).collect();
                Attempt::Obstructed(Obstacles { aggregates: Vec::new(), receipts })
            }
            _ => Attempt::Outdated,
        })
    }
}

/// An error of the statement, told from those that the functions raise themselves.
fn refused(error: Box<dyn sqlx::error::DatabaseError>) -> Attempt {
    let detail = || {
        let postgres = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
        postgres.detail()?.parse::<usize>().ok()
    };
    match (error.code().as_deref(), detail()) {
        (Some("WR001"), Some(number)) => Attempt::TableRefused(number.saturating_sub(1)),
        (Some("WR002"), Some(1)) => Attempt::Obstructed(Obstacles::default()),
        (Some("WR002"), Some(2)) => Attempt::ReceiptExists,
        (Some("WR002"), _) => Attempt::Outdated,
        _ => Attempt::Refused(sqlx::Error::Database(error)),
    }
}

/// Errors that the server sends while it closes the connection (SQLSTATE class 57P, and 08).
fn is_connection_loss(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
}
