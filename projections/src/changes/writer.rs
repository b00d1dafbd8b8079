//! Carrying out what a batch changes.

use std::fmt::Write as _;

use sqlx::{Executor, PgConnection};

use super::{
    Changes, Table, UnusableChange,
    table::{Statement, statements},
};
use crate::{Group, log::Recorded};

/// What a batch changes: rows for the statements of a group.
pub struct Batch {
    rows: Vec<Option<String>>,
    /// The bits of the tables that it writes.
    tables: i64,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.tables == 0
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
        let tables: Vec<&'static Table> = group.projections.iter().flat_map(|p| p.tables()).collect();
        let statements = statements(connection, &tables).await?;
        let function = format!("pg_temp.change_{}", group.name);
        connection.execute(&*definition(&function, &statements)).await?;
        Ok(Self {
            statements,
            move_checkpoint: format!(
                "WITH moved AS (
                     UPDATE projection_checkpoints SET position = $3, halted_at = NULL, halt_reason = NULL
                     WHERE projection_group = $1 AND position = $2 RETURNING position)
                 SELECT CASE WHEN $4::text[] IS NULL THEN true ELSE {function}($4, $5) END FROM moved"
            ),
            change: format!("SELECT {function}($1, $2)"),
        })
    }

    /// What these events change.
    pub fn changes(&self, group: &Group, events: &[Recorded]) -> Result<Batch, UnusableChange> {
        let mut changes = Changes::default();
        for projection in &group.projections {
            for recorded in events {
                projection.apply(recorded, &mut changes);
            }
        }
        let rows = self.statements.iter().map(|statement| match changes.tables.get_mut(statement.table) {
            Some(rows) => rows.of_statement(statement),
            None => Ok(None),
        });
        let rows: Vec<Option<String>> = rows.collect::<Result<_, _>>()?;
        let written = self.statements.iter().zip(&rows).filter(|(_, rows)| rows.is_some());
        let tables = written.fold(0, |tables, (statement, _)| tables | statement.bit);
        let is_known = |table: &&str| self.statements.iter().any(|statement| statement.table == *table);
        match changes.tables.keys().find(|table| !is_known(table)) {
            Some(table) => Err(UnusableChange::Unknown(table)),
            None => Ok(Batch { rows, tables }),
        }
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
        batch: Batch,
        (from, to): (i64, i64),
    ) -> Result<bool, sqlx::Error> {
        let rows = (!batch.is_empty()).then_some(batch.rows);
        let moved = sqlx::query(&self.move_checkpoint).bind(group.name).bind(from).bind(to).bind(rows);
        let moved = moved.bind(batch.tables);
        Ok(moved.fetch_optional(connection).await?.is_some())
    }

    /// Carries changes out.
    ///
    /// # Errors
    /// The database's; nothing is changed then.
    pub async fn change(&self, connection: &mut PgConnection, batch: Batch) -> Result<(), sqlx::Error> {
        if batch.is_empty() {
            return Ok(());
        }
        sqlx::query(&self.change).bind(batch.rows).bind(batch.tables).execute(connection).await.map(drop)
    }
}

/// Rows are found by their keys. How many there are changes by orders of magnitude while a plan is kept, so nothing is left to
/// guesses: no plan walks a whole table. To look whether a statement has rows takes a fraction of a microsecond, so only those of
/// tables are looked at that the batch writes.
fn definition(function: &str, statements: &[Statement]) -> String {
    let mut definition = format!(
        "CREATE OR REPLACE FUNCTION {function}(changes text[], tables bigint) RETURNS boolean LANGUAGE plpgsql
         SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $function$
         #variable_conflict use_column
         DECLARE batch jsonb;
         BEGIN"
    );
    let mut number = 0;
    for of_table in statements.chunk_by(|one, next| one.table == next.table) {
        let bit = of_table.first().map_or(0, |statement| statement.bit);
        let _ = write!(definition, "\n             IF tables & {bit} <> 0 THEN");
        for Statement { sql, .. } in of_table {
            number += 1;
            let _ = write!(
                definition,
                "
                 IF changes[{number}] IS NOT NULL THEN
                     batch := changes[{number}];
                     {sql};
                 END IF;"
            );
        }
        definition.push_str("\n             END IF;");
    }
    definition.push_str("\n             RETURN true;\n         END $function$");
    definition
}
