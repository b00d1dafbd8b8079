//! Frames against the AsyncAPI document: whatever any test is sent, the document says.

use std::{collections::HashMap, sync::OnceLock};

use jsonschema::Validator;
use serde_json::Value;

struct Document {
    document: Value,
    /// What the service sends, by type; of events by the type of the event.
    frames: HashMap<String, Validator>,
}

fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let document = workroom::http::docs::asyncapi::document().expect("a document");
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let mut frames = HashMap::new();
        for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("Frame")) {
            if name == "EventFrame" {
                continue;
            }
            frames.insert(key(schema), validator(&document, schema));
        }
        Document { document, frames }
    })
}

/// What a frame of this schema is known by.
fn key(schema: &Value) -> String {
    let properties = &schema["properties"];
    let event_type = properties["event_type"]["enum"][0].as_str();
    event_type.or(properties["type"]["const"].as_str()).expect("a type").to_owned()
}

fn validator(document: &Value, schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).unwrap_or_else(|error| panic!("{error}"))
}

/// Insists that the document says of this frame what it is.
#[track_caller]
pub fn assert_frame_described(frame: &Value) {
    let Document { frames, .. } = document();
    let frame_type = frame["type"].as_str().expect("a type");
    let event_type = frame["event_type"].as_str().filter(|_| frame_type == "event");
    if event_type == Some("NoteWritten") {
        // Of no aggregate: what tests write past the commands.
        return;
    }
    let known = frames.get(event_type.unwrap_or(frame_type));
    let known = known.unwrap_or_else(|| panic!("{frame_type} is not documented: {frame}"));
    let errors: Vec<_> = known.iter_errors(frame).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "the frame is not as documented: {errors:?}: {frame}");
}

/// Whether the document takes a client's message of this schema.
pub fn is_message_described(schema: &str, message: &Value) -> bool {
    let Document { document, .. } = document();
    validator(document, &document["components"]["schemas"][schema]).is_valid(message)
}
