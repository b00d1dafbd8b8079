//! What remains of a stored payload.

use serde_json::Value;

use super::{Placeholder, table::texts_of};

/// A stored payload is no JSON.
#[derive(Debug, thiserror::Error)]
#[error("a stored payload cannot be read")]
pub struct UnreadablePayload(#[from] serde_json::Error);

/// What remains of a payload as it was stored, in whatever version; none if there is nothing in it to redact. `unique` is the
/// event's position in the log.
///
/// # Errors
/// The payload is no JSON.
pub fn tombstone(event_type: &str, payload: &str, unique: i64) -> Result<Option<String>, UnreadablePayload> {
    replaced(event_type, payload, |placeholder| placeholder.text(unique))
}

/// A payload as it was stored, in whatever version, with marks in the place of its texts: they tell that these are from the event with
/// this sequence ([`Origins`](super::Origins)). None if there are no texts in it.
///
/// # Errors
/// The payload is no JSON.
pub fn marked(event_type: &str, payload: &str, sequence: i64) -> Result<Option<String>, UnreadablePayload> {
    replaced(event_type, payload, |placeholder| placeholder.mark(sequence))
}

/// A payload with these texts in the place of its own, if that changes anything.
fn replaced(
    event_type: &str,
    payload: &str,
    text: impl Fn(Placeholder) -> String,
) -> Result<Option<String>, UnreadablePayload> {
    let fields = texts_of(event_type);
    if fields.is_empty() {
        return Ok(None);
    }
    let mut remains: Value = serde_json::from_str(payload)?;
    let is_changed = redact(&mut remains, fields, &text);
    Ok(is_changed.then(|| remains.to_string()))
}

/// Replaces what the named fields hold, wherever they stand; whether anything is another now.
fn redact(value: &mut Value, fields: &[(&str, Placeholder)], text: &impl Fn(Placeholder) -> String) -> bool {
    match value {
        Value::Object(entries) => entries.iter_mut().fold(false, |is_changed, (name, value)| {
            let field = fields.iter().find(|(field, _)| field == name);
            let changes = match field {
                Some((_, placeholder)) => replace(value, &text(*placeholder)),
                None => redact(value, fields, text),
            };
            is_changed || changes
        }),
        Value::Array(items) => items.iter_mut().fold(false, |is_changed, item| {
            let changes = redact(item, fields, text);
            is_changed || changes
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Replaces each string in a value; whether any is another now.
fn replace(value: &mut Value, placeholder: &str) -> bool {
    match value {
        Value::String(text) if text == placeholder => false,
        Value::String(text) => {
            placeholder.clone_into(text);
            true
        }
        Value::Object(entries) => entries.iter_mut().fold(false, |is_changed, (_, value)| {
            let changes = replace(value, placeholder);
            is_changed || changes
        }),
        Value::Array(items) => items.iter_mut().fold(false, |is_changed, item| {
            let changes = replace(item, placeholder);
            is_changed || changes
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn remains(event_type: &str, payload: &Value) -> Option<Value> {
        let remains = tombstone(event_type, &payload.to_string(), 7).unwrap();
        remains.map(|remains| serde_json::from_str(&remains).unwrap())
    }

    #[test]
    fn texts_go_and_everything_else_stays() {
        let payload = json!({"type": "TaskUpdated", "changes": {
            "title": {"from": "Launch", "to": "Land"}, "assignee_id": {"from": "a", "to": null},
        }});
        let expected = json!({"type": "TaskUpdated", "changes": {
            "title": {"from": "[redacted]", "to": "[redacted]"}, "assignee_id": {"from": "a", "to": null},
        }});
        assert_eq!(remains("TaskUpdated", &payload), Some(expected.clone()));
        assert_eq!(remains("TaskUpdated", &expected), None, "redacted twice");
    }

    #[test]
    fn null_stays_null_and_what_tells_apart_has_a_number() {
        let payload = json!({"name": "Acme", "slug": "acme", "image_url": null});
        let expected = json!({"name": "[redacted]", "slug": "[redacted]-7", "image_url": null});
        assert_eq!(remains("OrganizationCreated", &payload), Some(expected));
    }

    #[test]
    fn what_remains_is_marked_as_what_was_said_is() {
        let payload = json!({"name": "Acme", "slug": "acme", "image_url": null});
        let remains = remains("OrganizationCreated", &payload).unwrap();
        let marks = |payload: &Value| marked("OrganizationCreated", &payload.to_string(), 3).unwrap();
        assert_eq!(marks(&payload), marks(&remains));
        let expected = json!({"name": "[redacted]-3", "slug": "[redacted]-3", "image_url": null});
        assert_eq!(serde_json::from_str::<Value>(&marks(&payload).unwrap()).unwrap(), expected);
        assert_eq!(marked("OrganizationDeleted", "{}", 3).unwrap(), None);
    }

    #[test]
    fn what_says_nothing_has_nothing_to_redact() {
        assert_eq!(remains("TaskUpdated", &json!({"changes": {"status": {"from": "todo", "to": "done"}}})), None);
        assert_eq!(remains("PayloadRedacted", &json!({"reason": "a secret"})), None);
        assert_eq!(remains("Unknown", &json!({"name": "x"})), None);
        assert!(tombstone("TaskCreated", "{", 7).is_err());
    }
}
