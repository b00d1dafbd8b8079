//! What a batch does to the rows of one table.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    Key, Row, Table, UnusableChange,
    table::{Kind, Statement},
};

pub(super) struct Rows {
    table: &'static Table,
    /// With the moment of the batch in which each was created.
    created: BTreeMap<Key, (usize, Row)>,
    changed: BTreeMap<Key, Row>,
    deleted: BTreeSet<Key>,
    /// What has lost all rows that belong to it, and when.
    emptied: BTreeMap<Uuid, usize>,
    moment: usize,
}

/// What a batch does to the rows of one table, in the order in which it is done.
pub(super) struct Parts {
    /// The columns that name what a row belongs to.
    pub(super) wholes: Vec<&'static str>,
    pub(super) deleted: Vec<Key>,
    pub(super) emptied: Vec<Uuid>,
    pub(super) created: Vec<(Key, Row)>,
    pub(super) changed: Vec<(Key, Row)>,
}

impl Rows {
    pub(super) fn of(table: &'static Table) -> Self {
        Self {
            table,
            created: BTreeMap::new(),
            changed: BTreeMap::new(),
            deleted: BTreeSet::new(),
            emptied: BTreeMap::new(),
            moment: 0,
        }
    }

    pub(super) fn create(&mut self, key: Key) -> &mut Row {
        self.moment += 1;
        let (moment, row) = self.created.entry(key).or_default();
        (*moment, *row) = (self.moment, self.table.new_row(key));
        row
    }

    pub(super) fn change(&mut self, key: Key) -> &mut Row {
        match self.created.get_mut(&key) {
            Some((_, row)) => row,
            None => self.changed.entry(key).or_insert_with(|| self.table.row(key)),
        }
    }

    pub(super) fn delete(&mut self, key: Key) {
        self.changed.remove(&key);
        if self.created.remove(&key).is_none() {
            self.deleted.insert(key);
        }
    }

    pub(super) fn delete_parts(&mut self, of: Uuid) {
        self.moment += 1;
        self.emptied.insert(of, self.moment);
    }

    /// Whether a row is created, changed or deleted, or all that belongs to one of `part_of` is deleted.
    pub(super) fn writes(&self, key: &Key, part_of: &[Uuid]) -> bool {
        self.created.contains_key(key)
            || self.changed.contains_key(key)
            || self.deleted.contains(key)
            || part_of.iter().any(|of| self.emptied.contains_key(of))
    }

    /// All of it, for rows in memory.
    pub(super) fn into_parts(mut self) -> Parts {
        self.leave_out_what_is_gone();
        Parts {
            wholes: self.table.wholes().collect(),
            deleted: self.deleted.into_iter().collect(),
            emptied: self.emptied.into_keys().collect(),
            created: self.created.into_iter().map(|(key, (_, row))| (key, row)).collect(),
            changed: self.changed.into_iter().collect(),
        }
    }

    /// Of the created rows, those stay that were not deleted later, with what they belong to.
    fn leave_out_what_is_gone(&mut self) {
        if self.emptied.is_empty() {
            return;
        }
        let is_gone = |of, moment| self.emptied.get(&of).is_some_and(|emptied| *emptied > moment);
        for column in self.table.wholes() {
            self.created.retain(|_, (moment, row)| !row.id(column).is_some_and(|of| is_gone(of, *moment)));
        }
    }

    /// The rows of one of the table's statements, as JSON, unless there are none.
    pub(super) fn of_statement(&mut self, statement: &Statement) -> Result<Option<String>, UnusableChange> {
        let check = |row: &mut Row| match (row.take_error(), row.other_than(&statement.columns)) {
            (Some(error), _) => Err(error.into()),
            (None, Some(column)) => {
                Err(UnusableChange::UnknownColumn { table: statement.table, column: column.to_owned() })
            }
            (None, None) => Ok(()),
        };
        match statement.kind {
            Kind::Delete => json(self.deleted.iter(), |key, json| {
                let mut row = self.table.row(*key);
                row.write(json);
                check(&mut row)
            }),
            Kind::DeleteParts(column) => json(self.emptied.keys(), |id, json| {
                let mut row = Row::default();
                row.set(column, id).write(json);
                check(&mut row)
            }),
            Kind::Create => {
                self.leave_out_what_is_gone();
                json(self.created.values_mut(), |(_, row), json| {
                    row.write(json);
                    check(row)
                })
            }
            Kind::Change => json(self.changed.values_mut(), |row, json| {
                row.write_change(json);
                check(row)
            }),
        }
    }
}

/// An array of rows, each checked and written by a function.
fn json<R>(
    rows: impl ExactSizeIterator<Item = R>,
    write: impl Fn(R, &mut Vec<u8>) -> Result<(), UnusableChange>,
) -> Result<Option<String>, UnusableChange> {
    if rows.len() == 0 {
        return Ok(None);
    }
    let mut json = Vec::new();
    let mut separator = b'[';
    for row in rows {
        json.push(separator);
        write(row, &mut json)?;
        separator = b',';
    }
    json.push(b']');
    Ok(Some(String::from_utf8(json)?))
}
