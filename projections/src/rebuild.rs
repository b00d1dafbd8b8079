//! Making views again from nothing, beside the live ones; and proving that the live ones equal such a replay (law 7).

use std::time::Duration;

use sqlx::{Acquire, PgConnection, Row};

use crate::{
    Group,
    log::{LogError, LogReader, Recorded},
};

const BATCH: i64 = 5000;
const LIVE: &str = "views";

/// How long each try to take the live tables waits, in milliseconds.
const LOCK_PATIENCE_MS: [u64; 12] = [50, 50, 50, 50, 50, 50, 100, 200, 400, 400, 1500, 3000];

/// Told how far a replay is: positions done, and in all.
pub type Report<'a> = &'a (dyn Fn(i64, i64) + Send + Sync);

/// What a comparison found in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDifference {
    /// The table.
    pub table: &'static str,
    /// Rows that only the live table has, or has otherwise.
    pub only_live: i64,
    /// Rows that only the replay has, or has otherwise.
    pub only_replayed: i64,
    /// One of those rows, as JSON.
    pub example: Option<String>,
}

/// What came of verifying or rebuilding a group.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The group.
    pub group: &'static str,
    /// The position at which live views and replay were compared.
    pub position: i64,
    /// Rows compared.
    pub rows: i64,
    /// Tables that differ.
    pub differences: Vec<TableDifference>,
}

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
    /// A batch could not be applied.
    #[error("the events up to position {position} cannot be applied")]
    Apply {
        /// Where.
        position: i64,
        /// Why.
        source: sqlx::Error,
    },
}

/// Compares a group's live views with a replay of the log up to their checkpoint. All of it happens in one
/// transaction that sees one moment and is rolled back: nothing is left behind, and nobody is held up.
///
/// # Errors
/// See [`ReplayError`].
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
    let mut done = 0;
    while done < position {
        done = replay_batch(&mut transaction, group, &reader, done, position).await?;
        report(done, position);
    }
    let comparison = compare(&mut transaction, group, &schema, position).await?;
    transaction.rollback().await?;
    Ok(comparison)
}

/// Makes a group's views again in fresh tables while the live ones go on serving, compares, and swaps. Told what
/// differed: a difference means that the live views were wrong, or that the projection's code has changed.
///
/// # Errors
/// See [`ReplayError`].
pub async fn rebuild(
    connection: &mut PgConnection,
    group: &Group,
    report: Report<'_>,
) -> Result<Comparison, ReplayError> {
    let schema = format!("rebuild_{}", group.name);
    let retired = format!("retired_{}", group.name);
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(7770004, hashtext($1))")
        .bind(group.name)
        .fetch_one(&mut *connection)
        .await?;
    if !alone {
        return Err(ReplayError::AlreadyRunning);
    }
    drop_schema(connection, &schema).await?;
    drop_schema(connection, &retired).await?;
    create_copy(connection, group, &schema).await?;
    show(connection, &schema).await?;
    sqlx::query("SET synchronous_commit = off").execute(&mut *connection).await?;
    let reader = LogReader::new(group.reads());
    let mut done = 0;
    // Chase the live checkpoint; the last stretch is done while the runner is held off, so it must be short.
    loop {
        let position = checkpoint(connection, group).await?;
        if position - done < BATCH && done > 0 || position == 0 {
            break;
        }
        while done < position {
            let mut transaction = connection.begin().await?;
            done = replay_batch(&mut transaction, group, &reader, done, position).await?;
            transaction.commit().await?;
            report(done, position);
        }
    }
    let mut transaction = connection.begin().await?;
    // The swap must not be lost to a crash while views committed after it survive.
    sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *transaction).await?;
    let position = hold_runner(&mut transaction, group).await?;
    while done < position {
        done = replay_batch(&mut transaction, group, &reader, done, position).await?;
    }
    report(done, position);
    let comparison = compare(&mut transaction, group, &schema, position).await?;
    lock_live(&mut transaction, group).await?;
    run(&mut transaction, &format!("CREATE SCHEMA {retired}")).await?;
    for table in group.tables() {
        run(&mut transaction, &format!("ALTER TABLE {LIVE}.{table} SET SCHEMA {retired}")).await?;
        run(&mut transaction, &format!("ALTER TABLE {schema}.{table} SET SCHEMA {LIVE}")).await?;
    }
    transaction.commit().await?;
    // One at a time: a statement planned before the swap may hold one of them and wait for another.
    for table in group.tables() {
        run(connection, &format!("DROP TABLE {retired}.{table}")).await?;
    }
    drop_schema(connection, &retired).await?;
    drop_schema(connection, &schema).await?;
    Ok(comparison)
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

/// Takes the live tables from their readers, all or none. Readers name tables in any order, so that whoever waits for
/// the next table while it holds the last one can close a circle with one of them. The wait is therefore short: it ends
/// long before PostgreSQL looks for circles (`deadlock_timeout`, 1 s) and would end a reader. Each try waits longer,
/// for the sake of vacuums, which give way only to somebody found waiting that long.
async fn lock_live(transaction: &mut PgConnection, group: &Group) -> Result<(), ReplayError> {
    let tables: Vec<_> = group.tables().iter().map(|table| format!("{LIVE}.{table}")).collect();
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "));
    for patience in LOCK_PATIENCE_MS {
        let mut attempt = transaction.begin().await?;
        run(&mut attempt, &format!("SET LOCAL lock_timeout = {patience}")).await?;
        match run(&mut attempt, &lock).await {
            Ok(()) => {
                run(&mut attempt, "SET LOCAL lock_timeout = 0").await?;
                return Ok(attempt.commit().await?);
            }
            Err(error) if lock_not_available(&error) => attempt.rollback().await?,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(Duration::from_millis(patience)).await;
    }
    Err(ReplayError::Busy)
}

fn lock_not_available(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "55P03")
}

async fn replay_batch(
    connection: &mut PgConnection,
    group: &Group,
    reader: &LogReader,
    after: i64,
    until: i64,
) -> Result<i64, ReplayError> {
    let entries = reader.read(&mut *connection, after, until, BATCH).await?;
    let Some(last) = entries.last().map(|entry| entry.position) else {
        return Err(LogError::Hole { after, found: until }.into());
    };
    let events: Vec<Recorded> = entries.into_iter().filter_map(|entry| entry.recorded).collect();
    for projection in &group.projections {
        projection.apply(&events, connection).await.map_err(|source| ReplayError::Apply { position: last, source })?;
    }
    Ok(last)
}

async fn compare(
    connection: &mut PgConnection,
    group: &Group,
    schema: &str,
    position: i64,
) -> Result<Comparison, sqlx::Error> {
    let mut comparison = Comparison { group: group.name, position, rows: 0, differences: Vec::new() };
    for table in group.tables() {
        let row = sqlx::query(&format!(
            "WITH only_live AS (TABLE {LIVE}.{table} EXCEPT TABLE {schema}.{table}),
                  only_replayed AS (TABLE {schema}.{table} EXCEPT TABLE {LIVE}.{table})
             SELECT (SELECT count(*) FROM {schema}.{table}) AS rows,
                    (SELECT count(*) FROM only_live) AS only_live,
                    (SELECT count(*) FROM only_replayed) AS only_replayed,
                    COALESCE((SELECT to_json(l)::text FROM only_live l LIMIT 1),
                             (SELECT to_json(r)::text FROM only_replayed r LIMIT 1)) AS example"
        ))
        .fetch_one(&mut *connection)
        .await?;
        comparison.rows += row.try_get::<i64, _>("rows")?;
        let difference = TableDifference {
            table,
            only_live: row.try_get("only_live")?,
            only_replayed: row.try_get("only_replayed")?,
            example: row.try_get("example")?,
        };
        if difference.only_live + difference.only_replayed > 0 {
            comparison.differences.push(difference);
        }
    }
    Ok(comparison)
}
