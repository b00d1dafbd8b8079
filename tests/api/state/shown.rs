//! What a state shows, made from the rows of views; and what differs between two states, found by looking at both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use workroom_projections::state::{Form, NOUNS, Noun};

use super::views::{Rows, id};

/// A value of a row as the API writes it: times in UTC.
fn written(value: &Value) -> Value {
    match value.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok()) {
        Some(time) => json!(time.to_offset(UtcOffset::UTC).format(&Rfc3339).expect("a time")),
        None => value.clone(),
    }
}

/// What is shown of a row.
fn item(noun: &Noun, row: &Value) -> Value {
    let fields = noun.fields.iter().map(|field| {
        let value = row.get(field.column).unwrap_or_else(|| panic!("{}.{}", noun.table, field.column));
        let shown = match field.form {
            Form::Plain => written(value),
            Form::Hex => json!(value.as_str().expect("bytes").strip_prefix("\\x").expect("as Postgres writes them")),
            Form::Limit => {
                if value == "timeout" {
                    json!("time")
                } else {
                    value.clone()
                }
            }
            Form::IsNull => json!(value.is_null()),
            Form::Less(other) => json!(value.as_i64().expect("a number") - row[other].as_i64().expect("a number")),
        };
        (field.name.to_owned(), shown)
    });
    Value::Object(fields.collect())
}

/// What a state shows, without what tells when it was.
pub(super) fn shown(rows: &Rows) -> Map<String, Value> {
    let mut state = Map::new();
    for noun in NOUNS {
        let shown = rows[noun.table].iter().filter(|row| noun.only.is_none_or(|column| row[column] == true));
        let mut items: Vec<Value> = shown.map(|row| item(noun, row)).collect();
        let value = if noun.list == "project" {
            assert!(items.len() <= 1, "{items:?}");
            let mut project = items.pop().unwrap_or_default();
            if let Some(fields) = project.as_object_mut() {
                let counted = rows["rosters"].first().map_or(json!(0), |roster| roster["member_count"].clone());
                fields.insert("member_count".to_owned(), counted);
            }
            project
        } else {
            Value::Array(items)
        };
        state.insert(noun.list.to_owned(), value);
    }
    state
}

/// Insists that a reply shows this, and nothing else.
#[track_caller]
pub(super) fn assert_shows(reply: &Value, expected: &Map<String, Value>, at: &str) {
    for (list, items) in expected {
        assert_eq!(&reply[list], items, "{at}: {list}");
    }
    let others = ["project_id", "seq", "position", "time", "epoch", "feed_root"];
    let names: BTreeSet<&str> = reply.as_object().expect("fields").keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = expected.keys().map(String::as_str).chain(others).collect();
    assert_eq!(names, known, "{at}");
}

/// The items of a list, by their ids. How many members there are is told by a state alone.
fn by_id(list: &Value) -> BTreeMap<String, Map<String, Value>> {
    let items = match list {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    let fields = |item: &Value| {
        let mut fields = item.as_object().expect("fields").clone();
        fields.remove("member_count");
        fields
    };
    items.iter().map(|item| (id(item), fields(item))).collect()
}

/// What differs between two states: by kind, and then by id.
pub(super) fn differences(from: &Map<String, Value>, to: &Map<String, Value>) -> Vec<Value> {
    let mut differences = Vec::new();
    for noun in NOUNS {
        let (before, after) = (by_id(&from[noun.list]), by_id(&to[noun.list]));
        let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for id in ids {
            let (old, new) = (before.get(id), after.get(id));
            let change = match (old, new) {
                (None, _) => "created",
                (_, None) => "deleted",
                _ => "changed",
            };
            let value = |item: Option<&Map<String, Value>>, name: &str| match item {
                Some(item) => item[name].clone(),
                None => Value::Null,
            };
            let names = old.or(new).expect("one of both").keys();
            let fields: Map<String, Value> = names
                .filter(|name| value(old, name) != value(new, name))
                .map(|name| (name.clone(), json!({"from": value(old, name), "to": value(new, name)})))
                .collect();
            if !fields.is_empty() {
                differences.push(json!({"kind": noun.kind, "id": id, "change": change, "fields": fields}));
            }
        }
    }
    differences
}
