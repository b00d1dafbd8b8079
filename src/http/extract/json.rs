//! Reading JSON as strictly as the document says: known fields of the right types, null only where it clears something, no NUL;
//! whatever does not hold is told at once.

use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};
use workroom_domain::refusal::{Code, FORBIDDEN_CHARACTER};

use crate::{
    application::{Error, Violation},
    http::problem::{
        Problem,
        codes::{INVALID_VALUE, MALFORMED, MISSING_FIELD, UNKNOWN_FIELD, WRONG_TYPE},
    },
};

/// Most violations that are told of one body.
const MAX_VIOLATIONS: usize = 20;

/// Reads a body.
///
/// # Errors
/// 400 for what is no JSON, 422 with all fields that do not hold.
pub(super) fn parse<T: DeserializeOwned + ToSchema>(bytes: &[u8], clearable: &[&str]) -> Result<T, Problem> {
    // serde would take a list for an object, its items for the fields in their order.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') && serde_json::from_slice::<Value>(bytes).is_ok() {
        return Err(Error::invalid("", WRONG_TYPE, "must be a JSON object").into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        refuse::<T>(&error.into_inner(), &pointer, bytes, clearable)
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    if has_nul(bytes) {
        return Err(Error::invalid("", FORBIDDEN_CHARACTER, "text must not contain NUL characters").into());
    }
    let nulls = nulls(bytes, clearable);
    if nulls.is_empty() { Ok(value) } else { Err(Error::Invalid(nulls).into()) }
}

/// The fields whose null clears nothing.
fn nulls(bytes: &[u8], clearable: &[&str]) -> Vec<Violation> {
    // Nearly no body has one.
    if !bytes.windows(4).any(|four| four == b"null") {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) {
        for (name, value) in fields.iter().filter(|(name, _)| !clearable.contains(&name.as_str())) {
            find_nulls(&format!("/{}", escaped(name)), value, &mut found);
        }
    }
    found
}

fn find_nulls(pointer: &str, value: &Value, found: &mut Vec<Violation>) {
    match value {
        Value::Null => found.push(Violation::new(pointer, WRONG_TYPE, "must not be null; leave it out instead")),
        Value::Object(fields) => {
            for (name, value) in fields {
                find_nulls(&format!("{pointer}/{}", escaped(name)), value, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                find_nulls(&format!("{pointer}/{index}"), value, found);
            }
        }
        _ => {}
    }
    found.truncate(MAX_VIOLATIONS);
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(MALFORMED, format!("the body is not well-formed JSON: {error}"))
}

/// Refuses a body for what serde met first, and for what it meets when that is taken away.
fn refuse<T: DeserializeOwned + ToSchema>(
    error: &serde_json::Error,
    at: &str,
    bytes: &[u8],
    clearable: &[&str],
) -> Problem {
    // serde_json calls it a syntax error, too, when a value of another type stands where an enum is expected.
    match serde_json::from_slice::<Value>(bytes) {
        Ok(body) => Error::Invalid(violations::<T>(error, at, body, nulls(bytes, clearable))).into(),
        Err(_) => malformed(error),
    }
}

fn violations<T: DeserializeOwned + ToSchema>(
    first: &serde_json::Error,
    at: &str,
    mut body: Value,
    nulls: Vec<Violation>,
) -> Vec<Violation> {
    let missing = missing::<T>(&body);
    let mut violations = vec![violation(first, at)];
    let mut pointer = at.to_owned();
    while violations.len() < MAX_VIOLATIONS && remove(&mut body, &pointer) {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&body) else { break };
        pointer = self::pointer(error.path());
        let next = violation(&error.into_inner(), &pointer);
        if next.code == MISSING_FIELD {
            // Either it is missing, or it was there and is told already.
            if !violations
                .iter()
                .any(|told| next.detail.contains(&format!("`{}`", told.pointer.trim_start_matches('/'))))
            {
                violations.push(next);
            }
            break;
        }
        violations.push(next);
    }
    // serde stops at the first field that is missing.
    let untold = |field: &Violation| violations.iter().all(|told| told.detail != field.detail);
    let missing: Vec<_> = missing.into_iter().filter(untold).collect();
    violations.extend(missing);
    let untold = |null: &Violation| violations.iter().all(|told| told.pointer != null.pointer);
    let nulls: Vec<_> = nulls.into_iter().filter(untold).collect();
    violations.extend(nulls);
    violations
}

/// The fields that must be there and are not.
fn missing<T: ToSchema>(body: &Value) -> Vec<Violation> {
    let RefOr::T(Schema::Object(object)) = T::schema() else { return Vec::new() };
    let Some(fields) = body.as_object() else { return Vec::new() };
    let names = object.required.iter().filter(|name| !fields.contains_key(*name));
    names.map(|name| Violation::new("", MISSING_FIELD, format!("missing field `{name}`"))).collect()
}

/// Takes away what a pointer names; whether it was there.
fn remove(body: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    match body.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&name).is_some(),
        Some(Value::Array(items)) => match name.parse() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

fn violation(error: &serde_json::Error, pointer: &str) -> Violation {
    if !error.is_data() {
        return Violation::new(pointer, WRONG_TYPE, "is not of the expected type");
    }
    // serde_json ends its message with the place in the text, which the pointer says better.
    let text = error.to_string();
    let detail = text.split(" at line ").next().unwrap_or(&text).to_owned();
    Violation::new(pointer, code_of(&detail), detail)
}

/// What serde's sentence is about; serde has nothing but the sentence.
pub(super) fn code_of(detail: &str) -> &'static Code {
    let is = |word: &str| detail.contains(word);
    if is("unknown field") {
        UNKNOWN_FIELD
    } else if is("missing field") {
        MISSING_FIELD
    } else if is("invalid type") {
        WRONG_TYPE
    } else {
        INVALID_VALUE
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// Whether well-formed JSON has a string with a NUL in it, which only the escape `\u0000` can write.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        let escape = &rest[at + 1..];
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn nul_is_found_where_it_is_written_and_nowhere_else() {
        assert!(has_nul(br#"{"a":"x\u0000y"}"#));
        assert!(has_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"\\u0000"}"#));
        assert!(has_nul(br#"{"a":"\u00001"}"#), "a NUL and a digit");
        assert!(!has_nul(br#"{"a":"\""}"#));
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Shelf {
        name: String,
        place: u32,
        size: Option<u32>,
        label: Option<String>,
        #[serde(default)]
        books: Vec<Book>,
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Book {
        title: String,
        pages: Option<u32>,
    }

    fn told(body: &str) -> Vec<(String, &'static str)> {
        let nulls = nulls(body.as_bytes(), &["label"]);
        let mut deserializer = serde_json::Deserializer::from_str(body);
        let all = match serde_path_to_error::deserialize::<_, Shelf>(&mut deserializer) {
            Ok(_) => nulls,
            Err(error) => {
                let at = pointer(error.path());
                violations::<Shelf>(&error.into_inner(), &at, serde_json::from_str(body).unwrap(), nulls)
            }
        };
        all.into_iter().map(|violation| (violation.pointer, violation.code.name)).collect()
    }

    #[test]
    fn whatever_does_not_hold_is_told_at_once() {
        let expect = |body: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect();
            assert_eq!(told(body), expected, "{body}");
        };
        expect(r#"{"name": "a", "place": 1, "label": null}"#, &[]);
        expect(r#"{"name": "a", "place": 1, "size": null}"#, &[("/size", "wrong-type")]);
        expect(
            r#"{"name": 1, "place": 1, "size": "x", "colour": 2}"#,
            &[("/name", "wrong-type"), ("/colour", "unknown-field"), ("/size", "wrong-type")],
        );
        expect(r#"{"place": 1, "size": "x"}"#, &[("/size", "wrong-type"), ("", "missing-field")]);
        expect("{}", &[("", "missing-field"), ("", "missing-field")]);
        expect(r#"{"name": null}"#, &[("/name", "wrong-type"), ("", "missing-field")]);
        expect(
            r#"{"name": "a", "place": 1, "books": [{"title": "b", "pages": null}, {"titel": "c"}]}"#,
            &[("/books/1/titel", "unknown-field"), ("/books/1", "missing-field"), ("/books/0/pages", "wrong-type")],
        );
    }
}
