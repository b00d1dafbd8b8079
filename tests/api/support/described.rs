//! Replies against the OpenAPI document: whatever any test is told, the document says.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::client::Reply;

/// Headers that a client goes on with: each is documented where it is sent.
const HEADERS: [&str; 12] = [
    "location",
    "etag",
    "cache-control",
    "workroom-position",
    "workroom-visible",
    "idempotent-replayed",
    "workroom-ended-invitations",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "set-cookie",
    "www-authenticate",
];

struct Document {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = serde_json::to_value(workroom::http::router::document()).expect("a document");
        let mut parts = BTreeSet::new();
        parts_of_others(&document, &mut parts);
        for (name, schema) in document["components"]["schemas"].as_object_mut().expect("schemas") {
            if !parts.contains(name) {
                close(schema);
            }
        }
        Document { document, validators: Mutex::default() }
    })
}

/// Components that are a part of others (`allOf`): those have more fields.
fn parts_of_others(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let parts = fields.get("allOf").and_then(Value::as_array).into_iter().flatten();
            for part in parts.flat_map(|part| part["oneOf"].as_array().into_iter().flatten().chain([part])) {
                if let Some(name) = part["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
                    found.insert(name.to_owned());
                }
            }
            fields.values().for_each(|value| parts_of_others(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| parts_of_others(item, found)),
        _ => {}
    }
}

/// Nothing is sent that is not documented.
fn close(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    let is_open = ["additionalProperties", "oneOf", "anyOf"].iter().any(|key| fields.contains_key(*key));
    if (fields.contains_key("properties") || fields.contains_key("allOf")) && !is_open {
        fields.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

/// The operation's path in the document, if it is one's.
fn template<'a>(document: &'a Value, path: &str) -> Option<&'a str> {
    let path = path.split('?').next().unwrap_or_default();
    // What lies beside the API is documented with another server.
    let (path, is_beside) =
        path.strip_prefix('/').filter(|path| path.starts_with('/')).map_or((path, false), |path| (path, true));
    let fits = |template: &str| {
        let (mut ours, mut theirs) = (template.split('/'), path.split('/'));
        let same = ours.by_ref().zip(theirs.by_ref()).all(|(a, b)| a == b || (a.starts_with('{') && !b.is_empty()));
        same && template.split('/').count() == path.split('/').count()
    };
    let paths = document["paths"].as_object().expect("paths").iter();
    let templates = paths.filter(|(_, item)| item.get("servers").is_some() == is_beside).map(|(path, _)| path);
    // A name before a parameter: `/auth/me` is no `/auth/{…}`.
    templates
        .filter(|template| fits(template))
        .max_by_key(|template| template.matches('/').count() * 10 - template.matches('{').count())
        .map(String::as_str)
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect("a reference within the document"),
        None => value,
    }
}

/// Insists that the document says of this reply what it is: its status, its headers, its body.
#[track_caller]
pub fn assert_described(method: &str, path: &str, reply: &Reply) {
    let Document { document, validators } = document();
    let Some(template) = template(document, path) else { return };
    let operation = &document["paths"][template][method.to_lowercase()];
    let at = format!("{method} {template}: {}", reply.status);
    if operation.is_null() || reply.status == 431 {
        // 405, or a preflight; and headers that are too large for anybody to say more.
        return;
    }
    // A process that plays no role with an API has none of its operations.
    if reply.status == 404 && reply.json["detail"] == "there is nothing at this address" {
        return;
    }
    let response = &operation["responses"][reply.status.to_string()];
    assert!(response.is_object(), "{at} is not documented: {}", reply.text);
    let response = resolved(document, response);
    let documented: BTreeSet<_> =
        response["headers"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect();
    for header in HEADERS.iter().filter(|name| reply.headers.contains_key(**name)) {
        let is_no_store = *header == "cache-control" && reply.header("cache-control") == "no-store";
        assert!(documented.contains(*header) || is_no_store, "{at}: {header} is not documented");
    }
    let media_type = reply.header("content-type").split(';').next().unwrap_or_default();
    if reply.text.is_empty() && reply.status != 200 {
        assert!(response["content"].is_null(), "{at}: a body is documented, and none is sent");
        return;
    }
    let content = &response["content"][media_type];
    assert!(content.is_object(), "{at}: {media_type} is not documented");
    if !media_type.ends_with("json") || media_type.ends_with("ndjson") {
        return;
    }
    let validator = {
        let mut validators = validators.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(validators.entry(at.clone()).or_insert_with(|| {
            let mut schema = content["schema"].clone();
            schema["components"] = document["components"].clone();
            let options = jsonschema::options().should_validate_formats(true);
            Arc::new(options.build(&schema).unwrap_or_else(|error| panic!("{at}: {error}")))
        }))
    };
    let errors: Vec<_> =
        validator.iter_errors(&reply.json).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{at}: the body is not as documented: {errors:?}: {}", reply.text);
}
