//! Comparing live tables with a replay, and explaining what differs: which row, which column, and the event that last
//! wrote it.

use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{BATCH, LIVE};
use crate::{
    Group,
    changes::{Changes, Table},
    log::{LogError, LogReader},
};

/// What came of verifying or rebuilding a group.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Name of the group that was compared.
    pub group: &'static str,
    /// The position at which live views and replay were compared.
    pub position: i64,
    /// Rows of the replay, in all tables of the group together.
    pub rows: i64,
    /// Tables that differ.
    pub differences: Vec<TableDifference>,
}

/// What a comparison found in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDifference {
    /// Name of the table, without its schema.
    pub table: &'static str,
    /// Rows that only the live table has, or has otherwise.
    pub only_live: i64,
    /// Rows that only the replay has, or has otherwise.
    pub only_replayed: i64,
    /// The first of those rows, by the table's key.
    pub first: RowDifference,
}

/// How one row differs, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// The columns that tell the row apart, and their values.
    pub key: Vec<(&'static str, Uuid)>,
    /// What is wrong with the row.
    pub what: Difference,
    /// The last event that wrote the row. None for a row that no event has ever written.
    pub written_by: Option<WrittenBy>,
}

/// What is wrong with a row of a live table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The replay has the row, the live table does not.
    Missing,
    /// The live table has the row, the replay does not.
    Additional,
    /// Both have it, and differ in this column, which is the first of those in which they do.
    Column {
        /// Name of the column.
        name: String,
        /// What the live table has there, as text; none is null.
        stored: Option<String>,
        /// What the replay has there.
        replayed: Option<String>,
    },
}

/// An event that wrote a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenBy {
    /// Its place in the log.
    pub position: i64,
    /// Its type, such as `ProjectUpdated`.
    pub event_type: String,
    /// Who caused it, as `account:<id>` or `system:<part>`.
    pub actor: String,
    /// When the log recorded it.
    pub recorded_at: OffsetDateTime,
}

/// The row that is looked for in the log.
struct Wanted {
    table: &'static Table,
    key: Vec<Uuid>,
    /// What it belongs to: events that delete all of that write it, too. Two, when that is what differs.
    part_of: Vec<Uuid>,
}

/// Compares all tables of a group with those of `schema`, both as they are at `position`.
pub(super) async fn compare(
    connection: &mut PgConnection,
    group: &Group,
    schema: &str,
    position: i64,
) -> Result<Comparison, LogError> {
    let mut comparison = Comparison { group: group.name, position, rows: 0, differences: Vec::new() };
    let mut wanted = Vec::new();
    for table in group.projections.iter().flat_map(|projection| projection.tables()) {
        let counts = count(connection, table, schema).await?;
        comparison.rows += counts.try_get::<i64, _>("rows")?;
        let Some(key) = counts.try_get::<Option<Vec<Uuid>>, _>("first_key")? else { continue };
        let what = explain(connection, table, &key, schema).await?;
        comparison.differences.push(TableDifference {
            table: table.name(),
            only_live: counts.try_get("only_live")?,
            only_replayed: counts.try_get("only_replayed")?,
            first: RowDifference {
                key: table.key().iter().copied().zip(key.iter().copied()).collect(),
                what,
                written_by: None,
            },
        });
        let part_of = owners(connection, table, &key, schema).await?;
        wanted.push(Wanted { table, key, part_of });
    }
    let found = last_writers(connection, group, &wanted, position).await?;
    for (difference, written_by) in comparison.differences.iter_mut().zip(found) {
        difference.first.written_by = written_by;
    }
    Ok(comparison)
}

/// How many rows there are and how many differ, and the key of the first that does.
async fn count(connection: &mut PgConnection, table: &Table, schema: &str) -> Result<PgRow, sqlx::Error> {
    let (name, key) = (table.name(), table.key().join(", "));
    sqlx::query(&format!(
        "WITH only_live AS (TABLE {LIVE}.{name} EXCEPT TABLE {schema}.{name}),
              only_replayed AS (TABLE {schema}.{name} EXCEPT TABLE {LIVE}.{name})
         SELECT (SELECT count(*) FROM {schema}.{name}) AS rows,
                (SELECT count(*) FROM only_live) AS only_live,
                (SELECT count(*) FROM only_replayed) AS only_replayed,
                (SELECT ARRAY[{key}]
                 FROM (SELECT {key} FROM only_live UNION SELECT {key} FROM only_replayed) AS differing
                 ORDER BY {key} LIMIT 1) AS first_key"
    ))
    .fetch_one(connection)
    .await
}

/// Says how a row that differs does so.
async fn explain(
    connection: &mut PgConnection,
    table: &Table,
    key: &[Uuid],
    schema: &str,
) -> Result<Difference, sqlx::Error> {
    let (name, is_it) = (table.name(), is_it(table));
    let there = format!(
        "SELECT EXISTS (SELECT FROM {LIVE}.{name} WHERE {is_it}) AS is_live,
                EXISTS (SELECT FROM {schema}.{name} WHERE {is_it}) AS is_replayed"
    );
    let there = sqlx::query(&there).bind(key).fetch_one(&mut *connection).await?;
    let (is_live, is_replayed): (bool, bool) = (there.try_get("is_live")?, there.try_get("is_replayed")?);
    match (is_live, is_replayed) {
        (false, _) => return Ok(Difference::Missing),
        (true, false) => return Ok(Difference::Additional),
        (true, true) => {}
    }
    // In the order of the columns, which `json` keeps.
    let column = sqlx::query(&format!(
        "SELECT l.name, l.value AS stored, r.value AS replayed
         FROM (SELECT to_json(t) AS content FROM {LIVE}.{name} t WHERE {is_it}) AS live
         CROSS JOIN (SELECT to_json(t) AS content FROM {schema}.{name} t WHERE {is_it}) AS replay
         CROSS JOIN LATERAL json_each_text(live.content) WITH ORDINALITY AS l (name, value, place)
         CROSS JOIN LATERAL json_each_text(replay.content) AS r (name, value)
         WHERE l.name = r.name AND l.value IS DISTINCT FROM r.value
         ORDER BY l.place LIMIT 1"
    ))
    .bind(key)
    .fetch_optional(connection)
    .await?;
    // Rows that differ and look alike as text are not known; should there be some, the report says as much as it can.
    column.map_or_else(
        || Ok(Difference::Column { name: "?".to_owned(), stored: None, replayed: None }),
        |row| {
            Ok(Difference::Column {
                name: row.try_get("name")?,
                stored: row.try_get("stored")?,
                replayed: row.try_get("replayed")?,
            })
        },
    )
}

/// What a row belongs to, live and replayed.
async fn owners(
    connection: &mut PgConnection,
    table: &Table,
    key: &[Uuid],
    schema: &str,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let (name, is_it) = (table.name(), is_it(table));
    let of = |column: &str| [LIVE, schema].map(|schema| format!("SELECT {column} FROM {schema}.{name} WHERE {is_it}"));
    let selects: Vec<String> = table.wholes().flat_map(of).collect();
    if selects.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<Option<Uuid>> = sqlx::query_scalar(&selects.join(" UNION ")).bind(key).fetch_all(connection).await?;
    Ok(found.into_iter().flatten().collect())
}

/// The condition that a row has the key `$1`.
fn is_it(table: &Table) -> String {
    let conditions =
        table.key().iter().enumerate().map(|(place, column)| format!("{column} = ($1::uuid[])[{}]", place + 1));
    conditions.collect::<Vec<_>>().join(" AND ")
}

/// The last event that wrote each of these rows. The log is read backwards, a stretch at a time, until all are found;
/// the projections themselves say what each event writes.
async fn last_writers(
    connection: &mut PgConnection,
    group: &Group,
    wanted: &[Wanted],
    position: i64,
) -> Result<Vec<Option<WrittenBy>>, LogError> {
    let mut found: Vec<Option<WrittenBy>> = wanted.iter().map(|_| None).collect();
    let reader = LogReader::new(group.reads());
    let mut until = position;
    while until > 0 && found.iter().any(Option::is_none) {
        let begin = (until - BATCH).max(0);
        let mut in_stretch: Vec<Option<WrittenBy>> = wanted.iter().map(|_| None).collect();
        let mut after = begin;
        while after < until {
            let entries = reader.read(&mut *connection, after, until, BATCH).await?;
            let Some(last) = entries.last() else { return Err(LogError::Hole { after, found: until }) };
            after = last.position;
            for recorded in entries.iter().filter_map(|entry| entry.recorded.as_ref()) {
                let mut changes = Changes::default();
                for projection in &group.projections {
                    projection.apply(recorded, &mut changes);
                }
                for (row, writer) in wanted.iter().zip(&mut in_stretch) {
                    if changes.writes(row.table, &row.key, &row.part_of) {
                        *writer = Some(WrittenBy {
                            position: recorded.position,
                            event_type: recorded.event.event_type(),
                            actor: recorded.metadata.actor.to_string(),
                            recorded_at: recorded.recorded_at,
                        });
                    }
                }
            }
        }
        for (found, writer) in found.iter_mut().zip(in_stretch) {
            if found.is_none() {
                *found = writer;
            }
        }
        until = begin;
    }
    Ok(found)
}
