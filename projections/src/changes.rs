//! What a batch of events changes about the views of a group, and carrying it out: in one statement, so in one round trip,
//! whatever the number of views.
//!
//! A view says of each of its [tables](Table) what tells rows apart, and of each event which columns of which row it sets. What a
//! batch does to a row comes together in one [`Row`]: the later value of a column wins. The statements that write rows are made
//! from the catalog: no view writes SQL for that, and the types of columns stand in migrations alone.
//!
//! The statements of a group become one function of the session ([`ViewWriter::prepare`]), planned once; a batch calls it with the
//! rows of all of them, as JSON.

mod memory;
mod row;
mod rows;
mod table;
mod value;
mod writer;

pub use memory::{Column, Difference, Kept, Memory, Stored, Unkept};
pub use row::Row;
pub use table::Table;
pub use value::{At, Bytea};
pub use writer::{Batch, ViewWriter};

use std::collections::BTreeMap;

use uuid::Uuid;

use self::rows::Rows;

/// A batch cannot be turned into rows.
#[derive(Debug, thiserror::Error)]
pub enum UnusableChange {
    /// What JSON cannot hold.
    #[error("rows of a view cannot be written as JSON")]
    Rows(#[from] serde_json::Error),
    /// What is no text.
    #[error("rows of a view are not UTF-8")]
    Text(#[from] std::string::FromUtf8Error),
    /// A row has a column that its table has not.
    #[error("a projection sets a column that is not there: {table}.{column}")]
    UnknownColumn {
        /// Name of the table, without its schema.
        table: &'static str,
        /// Name of the column that the table does not have.
        column: String,
    },
    /// No projection of the group names it among its own.
    #[error("a projection writes a table that it has not named: {0}")]
    Unknown(&'static str),
}

/// What tells a row of a table apart: the values of one or two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([Uuid; 2]);

impl From<Uuid> for Key {
    fn from(id: Uuid) -> Self {
        Self([id, Uuid::nil()])
    }
}

impl From<(Uuid, Uuid)> for Key {
    fn from((first, second): (Uuid, Uuid)) -> Self {
        Self([first, second])
    }
}

/// What a batch changes, row by row. Rows are deleted first, then created, then changed, table by table in the order in which
/// they are named.
#[derive(Default)]
pub struct Changes {
    tables: BTreeMap<&'static str, Rows>,
}

impl Changes {
    /// A row that an event creates. Columns that are not set are null, or have their default.
    pub fn create(&mut self, table: &'static Table, key: impl Into<Key>) -> &mut Row {
        self.rows(table).create(key.into())
    }

    /// A row that an event changes. Columns that are not set stay as they are; a row that is not there stays away.
    pub fn change(&mut self, table: &'static Table, key: impl Into<Key>) -> &mut Row {
        self.rows(table).change(key.into())
    }

    /// Deletes a row.
    pub fn delete(&mut self, table: &'static Table, key: impl Into<Key>) {
        self.rows(table).delete(key.into());
    }

    /// Deletes all rows that belong to something, by a column that the table names as [`Table::part_of`].
    pub fn delete_parts(&mut self, table: &'static Table, of: Uuid) {
        self.rows(table).delete_parts(of);
    }

    /// Whether a row is written: created, changed or deleted, itself or with all that belongs to one of `part_of`.
    pub(crate) fn writes(&self, table: &Table, key: &[Uuid], part_of: &[Uuid]) -> bool {
        let key = match key {
            [first, second] => Key::from((*first, *second)),
            [first] => Key::from(*first),
            _ => return false,
        };
        self.tables.get(table.name()).is_some_and(|rows| rows.writes(&key, part_of))
    }

    fn rows(&mut self, table: &'static Table) -> &mut Rows {
        self.tables.entry(table.name()).or_insert_with(|| Rows::of(table))
    }
}
