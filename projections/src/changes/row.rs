//! What a batch does to one row.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;
use workroom_domain::{
    change::{Fields, Values},
    redaction::{PayloadRedacted, Placeholder},
};

use super::At;
use crate::log::Recorded;

/// Among the columns of a change, the list of those that are set to null.
pub(super) const NULLS: &str = "nulls";

const NULL: &[u8] = b"null";

/// The columns that a batch sets of one row. Each value is written as JSON once, when it is set.
#[derive(Default)]
pub struct Row {
    columns: Vec<(Cow<'static, str>, Range<usize>)>,
    json: Vec<u8>,
    counts: Vec<(&'static str, i64)>,
    error: Option<serde_json::Error>,
}

impl Row {
    /// Sets a column. A value that is an object of JSON stands for several: each of its fields is a column.
    pub fn set(&mut self, column: &'static str, value: impl Serialize) -> &mut Self {
        self.put(column.into(), &value);
        self
    }

    /// Sets a column for each field that tells its value, by the same name.
    pub fn set_all(&mut self, values: &impl Values) -> &mut Self {
        values.tell(self);
        self
    }

    /// Counts up, or down, a column that the table names as [`Table::counting`](super::Table::counting). A created row starts at
    /// zero.
    pub fn count(&mut self, column: &'static str, by: i64) -> &mut Self {
        match self.counts.iter_mut().find(|(counted, _)| *counted == column) {
            Some((_, count)) => *count += by,
            None => self.counts.push((column, by)),
        }
        self
    }

    /// Sets the columns that a redaction names as fields to what stands for their texts.
    pub fn redact(&mut self, redacted: &PayloadRedacted, columns: &'static [(&'static str, Placeholder)]) -> &mut Self {
        for (column, placeholder) in columns {
            if redacted.has(column) {
                self.set(column, redacted.text(*placeholder));
            }
        }
        self
    }

    /// Sets what a created row tells of its creation: `created_by`, `created_at`, and as [`Row::updated`].
    pub fn created(&mut self, recorded: &Recorded) -> &mut Self {
        self.set("created_by", recorded.actor()).set("created_at", At(recorded.metadata.occurred_at)).updated(recorded)
    }

    /// Sets when the row changed last, and its version: `updated_at`, `version`.
    pub fn updated(&mut self, recorded: &Recorded) -> &mut Self {
        self.set("updated_at", At(recorded.metadata.occurred_at)).set("version", recorded.sequence)
    }

    fn put(&mut self, column: Cow<'static, str>, value: &impl Serialize) {
        let start = self.json.len();
        if let Err(error) = serde_json::to_writer(&mut self.json, value) {
            self.error.get_or_insert(error);
        } else if self.json.get(start) == Some(&b'{') {
            let fields = self.json.split_off(start);
            match serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(&fields) {
                Ok(fields) => fields.into_iter().for_each(|(field, value)| self.put(field.into(), &value)),
                Err(error) => drop(self.error.get_or_insert(error)),
            }
        } else {
            let place = start..self.json.len();
            match self.columns.iter_mut().find(|(set, _)| *set == column) {
                Some((_, set)) => *set = place,
                None => self.columns.push((column, place)),
            }
        }
    }

    /// The first column that is set and is none of these.
    pub(super) fn other_than(&self, known: &[String]) -> Option<&str> {
        let counted = self.counts.iter().map(|(column, _)| *column);
        let mut set = self.columns.iter().map(|(column, _)| &**column).chain(counted);
        set.find(|column| !known.iter().any(|name| name == column))
    }

    /// The columns that are set or counted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let counted = self.counts.iter().map(|(column, _)| *column);
        self.columns.iter().map(|(column, _)| &**column).chain(counted)
    }

    /// The JSON that a column is set to.
    pub(super) fn json_of(&self, column: &str) -> Option<&[u8]> {
        self.columns.iter().find(|(set, _)| *set == column).map(|(_, place)| self.value(place))
    }

    /// What a column is counted up by.
    pub(super) fn counted(&self, column: &str) -> Option<i64> {
        self.counts.iter().find(|(counted, _)| *counted == column).map(|(_, count)| *count)
    }

    fn value(&self, place: &Range<usize>) -> &[u8] {
        self.json.get(place.clone()).unwrap_or(NULL)
    }

    /// The id in a column.
    pub(super) fn id(&self, column: &str) -> Option<Uuid> {
        let (_, place) = self.columns.iter().find(|(set, _)| *set == column)?;
        serde_json::from_slice(self.value(place)).ok()
    }

    pub(super) fn take_error(&mut self) -> Option<serde_json::Error> {
        self.error.take()
    }

    /// Writes it as one that is created: a column that is not set is null.
    pub(super) fn write(&self, json: &mut Vec<u8>) {
        self.write_with(json, |_, _| {});
    }

    /// Writes it as a change of one that is there. To Postgres a column that is not set and one that is set to null look alike,
    /// so the latter stand in a list.
    pub(super) fn write_change(&self, json: &mut Vec<u8>) {
        self.write_with(json, |json, separator| {
            let mut nulls = self.columns.iter().filter(|(_, place)| self.value(place) == NULL).peekable();
            if nulls.peek().is_some() {
                name(json, separator, NULLS);
                let mut separator = b'[';
                for (column, _) in nulls {
                    json.push(separator);
                    quoted(json, column);
                    separator = b',';
                }
                json.push(b']');
            }
        });
    }

    fn write_with(&self, json: &mut Vec<u8>, more: impl FnOnce(&mut Vec<u8>, u8)) {
        let mut separator = b'{';
        for (column, place) in &self.columns {
            name(json, separator, column);
            json.extend_from_slice(self.value(place));
            separator = b',';
        }
        for (column, count) in &self.counts {
            name(json, separator, column);
            json.extend_from_slice(count.to_string().as_bytes());
            separator = b',';
        }
        more(json, separator);
        json.push(b'}');
    }
}

impl Fields for Row {
    fn field(&mut self, name: &'static str, value: &impl Serialize) {
        self.put(name.into(), value);
    }
}

fn name(json: &mut Vec<u8>, separator: u8, column: &str) {
    json.push(separator);
    quoted(json, column);
    json.push(b':');
}

/// Names of columns have nothing that JSON escapes.
fn quoted(json: &mut Vec<u8>, column: &str) {
    json.push(b'"');
    json.extend_from_slice(column.as_bytes());
    json.push(b'"');
}
