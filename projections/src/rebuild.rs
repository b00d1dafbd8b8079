//! Making views again from nothing, beside the live ones; and proving that the live ones equal such a replay (law 7).
//!
//! A rebuild holds the runner off only for the last stretch of the log and for the exchange itself. All that takes longer the
//! more rows there are happens before: the replay, and the comparison, which sees live tables and replay at one position in
//! one snapshot while the runner goes on.

mod comparison;
mod twin;

use std::time::Duration;

use sqlx::{Acquire, PgConnection};

pub use self::comparison::{Comparison, Difference, RowDifference, TableDifference, WrittenBy};
use self::{comparison::compare, twin::Twin};
use crate::{
    Group,
    changes::{UnusableChange, ViewWriter},
    log::{LogError, LogReader, Recorded},
};

const BATCH: i64 = 5000;
const LIVE: &str = "views";

/// Positions that may be left for the time in which the runner is held off.
const LAST_STRETCH: i64 = 250;

/// How often it is tried to take the live tables, how long each try waits, and how long the runner has in between to catch up.
const LOCK_ATTEMPTS: u32 = 30;
const LOCK_PATIENCE: Duration = Duration::from_millis(150);
const LOCK_PAUSE: Duration = Duration::from_millis(350);

/// How long vacuums may take to give way.
const VACUUM_PATIENCE: Duration = Duration::from_secs(30);

/// Told how far a replay is: positions done, and in all.
pub type Report<'a> = &'a (dyn Fn(i64, i64) + Send + Sync);

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

/// A replay could not be finished; the live views are untouched.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read, or the database refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Somebody else is rebuilding the group.
    #[error("the group is being rebuilt by another process")]
    AlreadyRunning,
    /// Somebody has held one of the views all the while.
    #[error("the views are in use and cannot be exchanged: is a backup or a long query running? Try again after it")]
    Busy,
    /// A table has what a rebuild would lose.
    #[error("the table {table} has {what}, which a rebuild cannot keep: remove that first")]
    Unsupported {
        /// Name of the table, without its schema.
        table: &'static str,
        /// What it has.
        what: String,
    },
    /// A batch could not be applied.
    #[error("the events up to position {position} cannot be applied")]
    Apply {
        /// Position of the last event of the batch.
        position: i64,
        /// The error of the statement that writes the batch.
        source: sqlx::Error,
    },
    /// A batch could not be turned into rows.
    #[error("the events up to position {position} cannot be applied")]
    Change {
        /// Position of the last event of the batch.
        position: i64,
        /// What keeps the batch from becoming rows.
        source: UnusableChange,
    },
}

/// Compares a group's live views with a replay of the log up to their checkpoint. All of it happens in one
/// transaction that sees one moment and is rolled back: nothing is left behind, and nobody is held up.
pub async fn verify(
    connection: &mut PgConnection,
    group: &Group,
    report: Report<'_>,
) -> Result<Comparison, ReplayError> {
    let schema = format!("verify_{}", group.name);
    let mut transaction = connection.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *transaction).await?;
    let position = checkpoint(&mut transaction, group).await?;
    create_copy(&mut transaction, group, &schema).await?;
    show(&mut transaction, &schema).await?;
    let reader = LogReader::new(group.reads());
    let writer = ViewWriter::prepare(&mut transaction, group).await?;
    let mut done = 0;
    while done < position {
        done = replay_batch(&mut transaction, group, (&reader, &writer), done, position).await?;
        report(done, position);
    }
    let comparison = compare(&mut transaction, group, &schema, position).await?;
    transaction.rollback().await?;
    Ok(comparison)
}

/// Makes a group's views again in fresh tables while the live ones go on serving, compares, and swaps. Told what
/// differed: a difference means that the live views were wrong, or that the projection's code has changed.
pub async fn rebuild(
    connection: &mut PgConnection,
    group: &Group,
    report: Report<'_>,
) -> Result<Comparison, ReplayError> {
    let schema = format!("rebuild_{}", group.name);
    let retired = format!("retired_{}", group.name);
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(7770005, hashtext($1))")
        .bind(group.name)
        .fetch_one(&mut *connection)
        .await?;
    if !alone {
        return Err(ReplayError::AlreadyRunning);
    }
    drop_schema(connection, &schema).await?;
    drop_schema(connection, &retired).await?;
    run(connection, &format!("CREATE SCHEMA {schema}")).await?;
    let mut twins = Vec::new();
    for table in group.tables() {
        twins.push(Twin::create(connection, table, &schema).await?);
    }
    show(connection, &schema).await?;
    sqlx::query("SET synchronous_commit = off").execute(&mut *connection).await?;
    let writer = ViewWriter::prepare(connection, group).await?;
    let mut replay = Replay { group, reader: LogReader::new(group.reads()), writer, done: 0, report };
    replay.chase(connection).await?;
    // Plans of the first queries are made from what is known of the tables.
    for table in group.tables() {
        run(connection, &format!("ANALYZE {schema}.{table}")).await?;
    }
    let comparison = replay.compare(connection, &schema).await?;
    replay.chase(connection).await?;
    replay.exchange(connection, &twins, &schema, &retired).await?;
    // One at a time: a statement planned before the swap may hold one of them and wait for another.
    for table in group.tables() {
        run(connection, &format!("DROP TABLE {retired}.{table}")).await?;
    }
    drop_schema(connection, &retired).await?;
    drop_schema(connection, &schema).await?;
    Ok(comparison)
}

/// A replay beside the live views, and how far it is.
struct Replay<'a> {
    group: &'a Group,
    reader: LogReader,
    writer: ViewWriter,
    done: i64,
    report: Report<'a>,
}

impl Replay<'_> {
    /// Replays until the live checkpoint is near.
    async fn chase(&mut self, connection: &mut PgConnection) -> Result<(), ReplayError> {
        loop {
            let position = checkpoint(connection, self.group).await?;
            if position - self.done <= LAST_STRETCH {
                return Ok(());
            }
            while self.done < position {
                let mut transaction = connection.begin().await?;
                let done = self.batch(&mut transaction, self.done, position).await?;
                transaction.commit().await?;
                self.done = done;
                (self.report)(self.done, position);
            }
        }
    }

    async fn batch(&self, connection: &mut PgConnection, after: i64, until: i64) -> Result<i64, ReplayError> {
        replay_batch(connection, self.group, (&self.reader, &self.writer), after, until).await
    }

    /// Compares with the live views at the position where these are, which one snapshot keeps while the runner goes on.
    async fn compare(&mut self, connection: &mut PgConnection, schema: &str) -> Result<Comparison, ReplayError> {
        let mut transaction = connection.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *transaction).await?;
        let position = checkpoint(&mut transaction, self.group).await?;
        let mut done = self.done;
        while done < position {
            done = self.batch(&mut transaction, done, position).await?;
        }
        let comparison = compare(&mut transaction, self.group, schema, position).await?;
        transaction.commit().await?;
        self.done = done;
        Ok(comparison)
    }

    /// Lets the twins take the places of the live tables.
    async fn exchange(
        &mut self,
        connection: &mut PgConnection,
        twins: &[Twin],
        schema: &str,
        retired: &str,
    ) -> Result<(), ReplayError> {
        let mut transaction = connection.begin().await?;
        // The swap must not be lost to a crash while views committed after it survive.
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *transaction).await?;
        self.hold_vacuums(&mut transaction, schema).await?;
        for attempt in 0..LOCK_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            self.chase(&mut transaction).await?;
            // What is taken and written from here on is given back at once when the tables cannot be had.
            let mut held = transaction.begin().await?;
            let position = hold_runner(&mut held, self.group).await?;
            let mut done = self.done;
            while done < position {
                done = self.batch(&mut held, done, position).await?;
            }
            if lock(&mut held, &self.tables(schema), "ACCESS EXCLUSIVE", LOCK_PATIENCE).await? {
                run(&mut held, &format!("CREATE SCHEMA {retired}")).await?;
                for twin in twins {
                    twin.take_over(&mut held, schema, retired).await?;
                }
                held.commit().await?;
                transaction.commit().await?;
                (self.report)(done, position);
                return Ok(());
            }
            held.rollback().await?;
        }
        Err(ReplayError::Busy)
    }

    /// Keeps vacuums off the tables. They give way, but only to somebody whom they find waiting for a second: too long for
    /// the time in which the runner is held off.
    async fn hold_vacuums(&self, connection: &mut PgConnection, schema: &str) -> Result<(), ReplayError> {
        let held = lock(connection, &self.tables(schema), "SHARE UPDATE EXCLUSIVE", VACUUM_PATIENCE).await?;
        if held { Ok(()) } else { Err(ReplayError::Busy) }
    }

    fn tables(&self, schema: &str) -> Vec<String> {
        let tables = self.group.tables();
        [LIVE, schema].iter().flat_map(|schema| tables.iter().map(move |table| format!("{schema}.{table}"))).collect()
    }
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(drop)
}

async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    run(connection, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await
}

async fn create_copy(connection: &mut PgConnection, group: &Group, schema: &str) -> Result<(), sqlx::Error> {
    run(connection, &format!("CREATE SCHEMA {schema}")).await?;
    for table in group.tables() {
        run(connection, &format!("CREATE TABLE {schema}.{table} (LIKE {LIVE}.{table} INCLUDING ALL)")).await?;
    }
    Ok(())
}

/// Makes unqualified table names mean the copy.
async fn show(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    run(connection, &format!("SET search_path = {schema}, public")).await
}

async fn checkpoint(connection: &mut PgConnection, group: &Group) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(max(position), 0) FROM projection_checkpoints WHERE projection_group = $1")
        .bind(group.name)
        .fetch_one(connection)
        .await
}

/// Takes the row that the runner moves first in each of its transactions.
async fn hold_runner(connection: &mut PgConnection, group: &Group) -> Result<i64, sqlx::Error> {
    let position: Option<i64> =
        sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE projection_group = $1 FOR UPDATE")
            .bind(group.name)
            .fetch_optional(connection)
            .await?;
    Ok(position.unwrap_or_default())
}

/// Locks tables, all or none; `false` when that takes too long. Readers name tables in any order, so that whoever waits for
/// the next table while it holds the last one can close a circle with one of them. A wait to take tables from readers must
/// therefore be short: then it ends long before PostgreSQL looks for circles (`deadlock_timeout`, 1 s) and would end a reader.
async fn lock(
    connection: &mut PgConnection,
    tables: &[String],
    mode: &str,
    patience: Duration,
) -> Result<bool, ReplayError> {
    if tables.is_empty() {
        return Ok(true);
    }
    let mut attempt = connection.begin().await?;
    run(&mut attempt, &format!("SET LOCAL lock_timeout = {}", patience.as_millis())).await?;
    match run(&mut attempt, &format!("LOCK TABLE {} IN {mode} MODE", tables.join(", "))).await {
        Ok(()) => {
            run(&mut attempt, "SET LOCAL lock_timeout = 0").await?;
            attempt.commit().await?;
            Ok(true)
        }
        Err(error) if lock_not_available(&error) => {
            attempt.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn lock_not_available(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "55P03")
}

async fn replay_batch(
    connection: &mut PgConnection,
    group: &Group,
    (reader, writer): (&LogReader, &ViewWriter),
    after: i64,
    until: i64,
) -> Result<i64, ReplayError> {
    let entries = reader.read(&mut *connection, after, until, BATCH).await?;
    let Some(last) = entries.last().map(|entry| entry.position) else {
        return Err(LogError::Hole { after, found: until }.into());
    };
    let events: Vec<Recorded> = entries.into_iter().filter_map(|entry| entry.recorded).collect();
    let changes = writer.changes(group, &events).map_err(|source| ReplayError::Change { position: last, source })?;
    writer.change(connection, changes).await.map_err(|source| ReplayError::Apply { position: last, source })?;
    Ok(last)
}
