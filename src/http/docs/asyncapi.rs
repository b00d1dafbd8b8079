//! The AsyncAPI 3 document: what is sent over the WebSocket and the streams. It is written by hand, but for the events: they are
//! the OpenAPI document's, as frames.

use serde_json::{Map, Value, json};

use crate::http::router::document as openapi;

/// The document without its events.
const WRITTEN: &str = include_str!("asyncapi.json");

/// The fields that an event's frame has of the event.
const FIELDS: [&str; 9] =
    ["seq", "position", "event_type", "occurred_at", "actor", "data", "aggregate_type", "aggregate_id", "event_id"];

/// The AsyncAPI document.
///
/// # Errors
/// One of the two documents cannot be read as JSON.
pub fn document() -> Result<Value, serde_json::Error> {
    let mut document: Value = serde_json::from_str(WRITTEN)?;
    let openapi = serde_json::to_value(openapi())?;
    let known = &openapi["components"]["schemas"];
    let feed = document.pointer("/components/schemas/HeadFrame").cloned().unwrap_or_default();
    let mut events = Vec::new();
    let mut schemas = Map::new();
    for event in known["Event"]["oneOf"].as_array().into_iter().flatten() {
        let Some(name) = event["$ref"].as_str().and_then(|name| name.rsplit('/').next()) else { continue };
        let frame = frame(&known[name], &feed);
        refer(known, &frame, &mut schemas);
        let frame_name = format!("{name}Frame");
        events.push(json!({"$ref": format!("#/components/schemas/{frame_name}")}));
        schemas.insert(frame_name, frame);
    }
    if let Some(Value::Object(all)) = document.pointer_mut("/components/schemas") {
        all.append(&mut schemas);
        let description = "Something has happened: durable, in order, without a hole or a duplicate.";
        all.insert("EventFrame".to_owned(), json!({"description": description, "oneOf": events}));
    }
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    Ok(document)
}

/// An event's schema as that of the frame that carries it. `feed` is the schema of another frame of a feed.
fn frame(event: &Value, feed: &Value) -> Value {
    let mut properties = Map::from_iter([("type".to_owned(), json!({"type": "string", "const": "event"}))]);
    for name in ["project_id", "organization_id", "account"] {
        properties.insert(name.to_owned(), feed["properties"][name].clone());
    }
    for name in FIELDS {
        properties.insert(name.to_owned(), event["properties"][name].clone());
    }
    let required: Vec<&str> = ["type"].into_iter().chain(FIELDS).collect();
    json!({
        "type": "object",
        "description": event["description"],
        "required": required,
        "properties": properties,
        "additionalProperties": false,
        "allOf": feed["allOf"],
    })
}

/// Collects the schemas that one refers to.
fn refer(known: &Value, schema: &Value, found: &mut Map<String, Value>) {
    match schema {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
            if let Some(name) = name
                && !found.contains_key(name)
            {
                found.insert(name.to_owned(), known[name].clone());
                refer(known, &known[name], found);
            }
            fields.values().for_each(|value| refer(known, value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| refer(known, item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
