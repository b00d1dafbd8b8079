//! What a batch of events changes about the views of a group, and carrying it out: in one statement, so in one round trip,
//! whatever the number of views.
//!
//! Each projection writes by a few statements that never change, with rows that do. The statements of a group become one
//! function of the session ([`ViewWriter::prepare`]), planned once; a batch calls it with the rows of all of them, as JSON.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use sqlx::{Executor, PgConnection};
use uuid::Uuid;
use workroom_domain::change::Change;

use crate::Group;

/// A statement that changes a view, once a batch with all its rows. It finds them in `batch`, a `jsonb` array of objects, best
/// as `FROM jsonb_to_recordset(batch) AS n (id uuid, …)`. Every statement of a group is another one.
pub type Statement = &'static str;

/// What a batch changes: rows for the statements of a group.
pub struct Changes<'a> {
    statements: &'a [Statement],
    rows: Vec<Option<String>>,
}

/// A batch cannot be turned into rows.
#[derive(Debug, thiserror::Error)]
pub enum UnusableChange {
    /// What JSON cannot hold.
    #[error("rows of a view cannot be written as JSON")]
    Rows(#[from] serde_json::Error),
    /// The projection does not name it among its own.
    #[error("a projection uses a statement that it has not named: {0}")]
    Unknown(Statement),
}

impl Changes<'_> {
    /// Runs `statement` with these rows, unless there are none. Statements run in the order in which their projection names
    /// them, whatever the order of the calls.
    ///
    /// # Errors
    /// See [`UnusableChange`].
    pub fn add<R: Serialize>(
        &mut self,
        statement: Statement,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<(), UnusableChange> {
        let rows: Vec<R> = rows.into_iter().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let place = self.statements.iter().position(|known| *known == statement);
        let place = place.ok_or(UnusableChange::Unknown(statement))?;
        self.rows[place] = Some(serde_json::to_string(&rows)?);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.rows.iter().all(Option::is_none)
    }
}

/// Changes the views of one group over one session.
pub struct ViewWriter {
    statements: Vec<Statement>,
    move_checkpoint: String,
    change: String,
}

impl ViewWriter {
    /// Makes the statements of the group a function of the session. The views are those that the session's `search_path`
    /// shows. The function lives as long as the session; making it needs the right to create temporary objects.
    pub async fn prepare(connection: &mut PgConnection, group: &Group) -> Result<Self, sqlx::Error> {
        let statements: Vec<Statement> = group.projections.iter().flat_map(|p| p.statements()).copied().collect();
        let function = format!("pg_temp.change_{}", group.name);
        connection.execute(&*definition(&function, &statements)).await?;
        Ok(Self {
            statements,
            move_checkpoint: format!(
                "WITH moved AS (
                     UPDATE projection_checkpoints SET position = $3, halted_at = NULL, halt_reason = NULL
                     WHERE projection_group = $1 AND position = $2 RETURNING position)
                 SELECT CASE WHEN $4::text[] IS NULL THEN true ELSE {function}($4) END FROM moved"
            ),
            change: format!("SELECT {function}($1)"),
        })
    }

    /// What these events change.
    ///
    /// # Errors
    /// See [`UnusableChange`].
    pub fn changes(&self, group: &Group, events: &[crate::log::Recorded]) -> Result<Changes<'_>, UnusableChange> {
        let mut changes = Changes { statements: &self.statements, rows: vec![None; self.statements.len()] };
        for projection in &group.projections {
            projection.apply(events, &mut changes)?;
        }
        Ok(changes)
    }

    /// Carries changes out, and moves the group's checkpoint from one position to another with them; `false` when it is
    /// not there. The checkpoint comes first: its row lock is what a rebuild takes to hold a runner off.
    ///
    /// # Errors
    /// The database's; nothing is changed then.
    pub async fn change_and_move(
        &self,
        connection: &mut PgConnection,
        group: &Group,
        changes: Changes<'_>,
        (from, to): (i64, i64),
    ) -> Result<bool, sqlx::Error> {
        let rows = (!changes.is_empty()).then_some(changes.rows);
        let moved = sqlx::query(&self.move_checkpoint).bind(group.name).bind(from).bind(to).bind(rows);
        Ok(moved.fetch_optional(connection).await?.is_some())
    }

    /// Carries changes out.
    ///
    /// # Errors
    /// The database's; nothing is changed then.
    pub async fn change(&self, connection: &mut PgConnection, changes: Changes<'_>) -> Result<(), sqlx::Error> {
        if changes.is_empty() {
            return Ok(());
        }
        sqlx::query(&self.change).bind(changes.rows).execute(connection).await.map(drop)
    }
}

/// Rows are found by their keys. How many there are changes by orders of magnitude while a plan is kept, so nothing is left to
/// guesses: no plan walks a whole table.
fn definition(function: &str, statements: &[Statement]) -> String {
    let mut definition = format!(
        "CREATE OR REPLACE FUNCTION {function}(changes text[]) RETURNS boolean LANGUAGE plpgsql
         SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $function$
         #variable_conflict use_column
         DECLARE batch jsonb;
         BEGIN"
    );
    for (place, statement) in statements.iter().enumerate() {
        let number = place + 1;
        let _ = write!(
            definition,
            "
             IF changes[{number}] IS NOT NULL THEN
                 batch := changes[{number}];
                 {statement};
             END IF;"
        );
    }
    definition.push_str("\n             RETURN true;\n         END $function$");
    definition
}

/// A point in time as Postgres reads it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct At(#[serde(with = "time::serde::rfc3339")] pub time::OffsetDateTime);

/// A day as Postgres reads it.
#[derive(Clone, Copy, Debug)]
pub struct Day(pub time::Date);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Bytes as Postgres reads them into a `bytea`.
#[derive(Clone, Debug)]
pub struct Bytea<'a>(pub &'a [u8]);

impl Serialize for Bytea<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("\\x{}", hex::encode(self.0)))
    }
}

/// A row to delete, or the one whose rows are.
#[derive(Serialize)]
pub(crate) struct Gone {
    pub(crate) id: Uuid,
}

/// Takes over what a change sets, if it does.
pub(crate) fn set<T: Clone>(field: &mut Option<T>, change: Option<&Change<T>>) {
    if let Some(change) = change {
        *field = Some(change.to.clone());
    }
}
