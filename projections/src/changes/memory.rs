//! Tables in memory: what a batch changes is carried out here as the statements of a [`ViewWriter`](super::ViewWriter) carry it
//! out in Postgres. A row is the JSON of its columns, in one piece.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use uuid::Uuid;

use super::{Changes, Key, Row, UnusableChange};

/// Bytes that a row takes beside its columns, roughly.
const OVERHEAD: usize = 128;
/// What is written where a column is null.
const NULL: &[u8] = b"null";

/// What a column does when a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is never null: a change to null leaves it as it is.
    Required,
    /// It may be null.
    Nullable,
    /// It counts: a change adds to what the row has.
    Counter,
}

/// A column of a table that is kept in memory.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, as in Postgres.
    pub name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
}

impl Column {
    /// A column that is `NOT NULL`.
    pub const fn required(name: &'static str) -> Self {
        Self { name, kind: Kind::Required, default: None }
    }

    /// A column that may be null.
    pub const fn nullable(name: &'static str) -> Self {
        Self { name, kind: Kind::Nullable, default: None }
    }

    /// A column that the table names as [`Table::counting`](super::Table::counting).
    pub const fn counter(name: &'static str) -> Self {
        Self { name, kind: Kind::Counter, default: None }
    }

    /// With a default, as JSON.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Whether Postgres refuses null there.
    pub fn is_required(&self) -> bool {
        self.kind != Kind::Nullable
    }
}

/// A table that is kept in memory: its name, and its columns as migrations make them.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The name, without a schema.
    pub table: &'static str,
    /// Its columns; their places are those of the values in a stored row.
    pub columns: &'static [Column],
    /// Where changed rows are not changed but written anew, with the number of rows of another table: the place of that table
    /// among those that are kept. The first column of both is what they have in common, the second is the version, and the third
    /// the number. So is `rosters` written.
    pub counts: Option<usize>,
}

impl Kept {
    /// The place of a column.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }
}

/// What happened to be wrong with what a batch changes in memory.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// It is no row of a table.
    #[error(transparent)]
    Unusable(#[from] UnusableChange),
    /// All rows together take more bytes than they may.
    #[error("the rows take more than {most} bytes")]
    TooLarge {
        /// The most bytes that they may take.
        most: usize,
    },
}

/// A row: where each of its columns ends, and then what they are. A column that is null is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored(Arc<[u8]>);

impl Stored {
    fn of<'v>(values: impl Iterator<Item = &'v [u8]> + Clone) -> Self {
        let mut bytes = Vec::with_capacity(values.clone().map(|value| value.len() + 4).sum());
        let mut end: u32 = 0;
        for value in values.clone() {
            end = end.saturating_add(u32::try_from(value.len()).unwrap_or(u32::MAX));
            bytes.extend_from_slice(&end.to_le_bytes());
        }
        values.for_each(|value| bytes.extend_from_slice(value));
        Self(bytes.into())
    }

    /// The JSON of a column, given its place and how many there are.
    pub fn value(&self, place: usize, columns: usize) -> &[u8] {
        let value = self.raw(place, columns);
        if value.is_empty() { NULL } else { value }
    }

    fn raw(&self, place: usize, columns: usize) -> &[u8] {
        let base = 4 * columns;
        let start = if place == 0 { 0 } else { self.end(place - 1) };
        self.0.get(base + start..base + self.end(place)).unwrap_or_default()
    }

    fn end(&self, place: usize) -> usize {
        let bytes = self.0.get(4 * place..4 * place + 4).and_then(|bytes| bytes.try_into().ok());
        usize::try_from(bytes.map_or(0, u32::from_le_bytes)).unwrap_or_default()
    }

    fn cost(&self) -> usize {
        self.0.len() + OVERHEAD
    }
}

type Rows = BTreeMap<Key, Stored>;

/// A row that is another than it was, or is new, or gone.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// The place of its table.
    pub table: usize,
    /// The row as it was.
    pub from: Option<&'a Stored>,
    /// The row as it is.
    pub to: Option<&'a Stored>,
}

/// Tables in memory.
pub struct Memory {
    kept: &'static [Kept],
    tables: Vec<Rows>,
    bytes: usize,
    most: usize,
    /// The rows that were touched since somebody asked for that, as they were before.
    touched: Option<Vec<BTreeMap<Key, Option<Stored>>>>,
}

impl Memory {
    /// Tables without a row. All rows together take so many bytes at most.
    pub fn new(kept: &'static [Kept], most: usize) -> Self {
        Self { kept, tables: vec![Rows::new(); kept.len()], bytes: 0, most, touched: None }
    }

    /// The tables that are kept.
    pub fn kept(&self) -> &'static [Kept] {
        self.kept
    }

    /// The rows of a table, by its place, in the order of their keys.
    pub fn rows(&self, table: usize) -> impl Iterator<Item = &Stored> {
        self.tables.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// Takes all rows of a table away, so that each can be dropped once it is written elsewhere.
    pub fn take(&mut self, table: usize) -> impl Iterator<Item = Stored> + use<> {
        self.tables.get_mut(table).map(std::mem::take).unwrap_or_default().into_values()
    }

    /// Notes from now on what rows were.
    pub fn watch(&mut self) {
        self.touched = Some(vec![BTreeMap::new(); self.kept.len()]);
    }

    /// Takes what rows were from an earlier state of the same tables, as if it had been watched since. What differs counts among
    /// the bytes.
    pub fn since(&mut self, earlier: Self) {
        let mut touched: Vec<BTreeMap<Key, Option<Stored>>> = vec![BTreeMap::new(); self.kept.len()];
        for ((rows, old), touched) in self.tables.iter().zip(earlier.tables).zip(&mut touched) {
            touched.extend(rows.keys().filter(|key| !old.contains_key(*key)).map(|key| (*key, None)));
            for (key, row) in old {
                if rows.get(&key) != Some(&row) {
                    self.bytes += row.cost();
                    touched.insert(key, Some(row));
                }
            }
        }
        self.touched = Some(touched);
    }

    /// The rows that differ from what they were when [`Memory::watch`] was called: table by table, in the order of their keys.
    pub fn differences(&self) -> impl Iterator<Item = Difference<'_>> {
        let touched = self.touched.iter().flatten().enumerate();
        touched.flat_map(move |(table, rows)| {
            rows.iter().filter_map(move |(key, from)| {
                let to = self.tables.get(table)?.get(key);
                (from.as_ref() != to).then_some(Difference { table, from: from.as_ref(), to })
            })
        })
    }

    /// Carries out what a batch changes. Tables that are not kept are passed over.
    ///
    /// # Errors
    /// See [`Unkept`]; what is in memory is of no use then.
    pub fn apply(&mut self, mut changes: Changes) -> Result<(), Unkept> {
        for (table, kept) in self.kept.iter().enumerate() {
            let Some(rows) = changes.tables.remove(kept.table) else { continue };
            let parts = rows.into_parts();
            for key in parts.deleted {
                self.put(table, key, None);
            }
            if !parts.emptied.is_empty() {
                for place in parts.wholes.iter().filter_map(|column| kept.place(column)) {
                    self.delete_parts(table, place, &parts.emptied);
                }
            }
            for (key, row) in parts.created {
                let stored = create(kept, row)?;
                self.put(table, key, Some(stored));
            }
            for (key, row) in parts.changed {
                let stored = match kept.counts {
                    Some(of) => Some(self.counted(kept, of, row)?),
                    None => match self.tables.get(table).and_then(|rows| rows.get(&key)) {
                        Some(old) => Some(change(kept, old, row)?),
                        None => check(kept, row).map(|_| None)?,
                    },
                };
                if stored.is_some() {
                    self.put(table, key, stored);
                }
            }
        }
        if self.bytes > self.most { Err(Unkept::TooLarge { most: self.most }) } else { Ok(()) }
    }

    fn delete_parts(&mut self, table: usize, column: usize, of: &[Uuid]) {
        let (Some(kept), Some(rows)) = (self.kept.get(table), self.tables.get(table)) else { return };
        let of: BTreeSet<Vec<u8>> = of.iter().map(|id| format!("\"{id}\"").into_bytes()).collect();
        let is_part = |row: &Stored| of.contains(row.raw(column, kept.columns.len()));
        let gone: Vec<Key> = rows.iter().filter(|(_, row)| is_part(row)).map(|(key, _)| *key).collect();
        for key in gone {
            self.put(table, key, None);
        }
    }

    /// A row that says how many rows another table has for it.
    fn counted(&self, kept: &Kept, of: usize, row: Row) -> Result<Stored, UnusableChange> {
        let row = check(kept, row)?;
        let set =
            |place: usize| kept.columns.get(place).and_then(|column| row.json_of(column.name)).unwrap_or_default();
        let columns = self.kept.get(of).map_or(0, |kept| kept.columns.len());
        let count = self.rows(of).filter(|counted| counted.raw(0, columns) == set(0)).count().to_string();
        Ok(Stored::of([set(0), set(1), count.as_bytes()].into_iter()))
    }

    fn put(&mut self, table: usize, key: Key, row: Option<Stored>) {
        let Some(rows) = self.tables.get_mut(table) else { return };
        self.bytes += row.as_ref().map_or(0, Stored::cost);
        let old = match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
        let cost = old.as_ref().map_or(0, Stored::cost);
        let touched = self.touched.as_mut().and_then(|touched| touched.get_mut(table));
        match touched.map(|rows| rows.entry(key)) {
            // What it was stays in memory, and counts.
            Some(Entry::Vacant(untouched)) => {
                untouched.insert(old);
            }
            _ => self.bytes -= cost,
        }
    }

    /// All rows as bytes, for [`Memory::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes);
        for rows in &self.tables {
            bytes.extend_from_slice(&length(rows.len()));
            for (key, row) in rows {
                key.0.iter().for_each(|id| bytes.extend_from_slice(id.as_bytes()));
                bytes.extend_from_slice(&length(row.0.len()));
                bytes.extend_from_slice(&row.0);
            }
        }
        bytes
    }

    /// Rows that were written by [`Memory::encode`] over the same tables; none where the bytes are no such rows, or too many.
    pub fn decode(kept: &'static [Kept], most: usize, mut bytes: &[u8]) -> Option<Self> {
        let mut memory = Self::new(kept, most);
        for rows in &mut memory.tables {
            let count = take_length(&mut bytes)?;
            for _ in 0..count {
                let ids = bytes.split_off(..32)?;
                let (first, second) = ids.split_at_checked(16)?;
                let key = Key([Uuid::from_slice(first).ok()?, Uuid::from_slice(second).ok()?]);
                let length = take_length(&mut bytes)?;
                let row = Stored(bytes.split_off(..length)?.into());
                memory.bytes += row.cost();
                rows.insert(key, row);
            }
        }
        (bytes.is_empty() && memory.bytes <= most).then_some(memory)
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let length = bytes.split_off(..4)?;
    usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()
}

/// A row that can be written: all of its columns are known.
fn check(kept: &Kept, mut row: Row) -> Result<Row, UnusableChange> {
    if let Some(error) = row.take_error() {
        return Err(error.into());
    }
    let unknown = row.names().find(|name| kept.place(name).is_none()).map(str::to_owned);
    match unknown {
        Some(column) => Err(UnusableChange::UnknownColumn { table: kept.table, column }),
        None => Ok(row),
    }
}

/// A column that is not set, or null, has its default.
fn create(kept: &Kept, row: Row) -> Result<Stored, UnusableChange> {
    let row = check(kept, row)?;
    let values: Vec<_> = kept.columns.iter().map(|column| value_of(&row, column, None)).collect();
    Ok(Stored::of(values.iter().map(|value| &**value)))
}

/// A column that is not set stays as it is; one that is required does, too, when it is set to null.
fn change(kept: &Kept, old: &Stored, row: Row) -> Result<Stored, UnusableChange> {
    let row = check(kept, row)?;
    let columns = kept.columns.iter().enumerate();
    let values: Vec<_> =
        columns.map(|(place, column)| value_of(&row, column, Some(old.raw(place, kept.columns.len())))).collect();
    Ok(Stored::of(values.iter().map(|value| &**value)))
}

fn value_of<'v>(row: &'v Row, column: &Column, old: Option<&'v [u8]>) -> Cow<'v, [u8]> {
    let set = row.json_of(column.name);
    match (column.kind, set, old) {
        (Kind::Counter, set, old) => {
            let number =
                |json: Option<&[u8]>| json.and_then(|json| serde_json::from_slice::<i64>(json).ok()).unwrap_or(0);
            let counted = row.counted(column.name).unwrap_or_else(|| number(set));
            (number(old) + counted).to_string().into_bytes().into()
        }
        (_, Some(set), _) if set != NULL => set.into(),
        (Kind::Nullable, Some(_), Some(_)) => Cow::Borrowed(&[]),
        (_, _, Some(old)) => old.into(),
        (_, _, None) => column.default.map(str::as_bytes).unwrap_or_default().into(),
    }
}
