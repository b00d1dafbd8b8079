//! The schema of each event type is what serde writes, and what was ever stored: nothing is undocumented, and nothing documented
//! is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use workroom_domain::{
    file::Content,
    job::{Code, Key, MaxAttempts, Priority, Timeout},
    schedule::UniqueSeconds,
    schema::{components, events},
    text::{Name, Prose},
};

use crate::stored_events;

/// A validator for each event type.
pub struct Schemas(BTreeMap<&'static str, Validator>);

impl Schemas {
    fn new(with_formats: bool) -> Self {
        let mut shared: BTreeMap<_, _> = components().into_iter().map(|(name, schema)| (name, json!(schema))).collect();
        shared.values_mut().for_each(close_within);
        let validator = |schema: Value| {
            let mut root = schema;
            close(&mut root);
            root["components"] = json!({ "schemas": shared });
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(with_formats);
            options.build(&root).unwrap_or_else(|error| panic!("{error} in {root}"))
        };
        Self(events().into_iter().map(|event| (event.event_type, validator(json!(event.schema)))).collect())
    }

    /// Why a payload is not one of its type, if it is not.
    pub fn problem(&self, event_type: &str, payload: &str) -> Option<String> {
        let Some(validator) = self.0.get(event_type) else { return Some(format!("{event_type} has no schema")) };
        let payload = serde_json::from_str(payload).unwrap();
        let problems = validator.iter_errors(&payload).map(|error| format!("{}: {error}", error.instance_path()));
        Some(problems.collect::<Vec<_>>().join("; ")).filter(|problems| !problems.is_empty())
    }
}

/// Each schema, but for formats such as `date`: random dates are of years that the API does not take.
pub fn without_formats() -> &'static Schemas {
    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(false));
    &SCHEMAS
}

fn with_formats() -> &'static Schemas {
    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(true));
    &SCHEMAS
}

/// Forbids fields that a schema does not name, here and in all that is in it.
fn close(schema: &mut Value) {
    close_within(schema);
    schema["unevaluatedProperties"] = false.into();
}

/// Leaves the schema itself open: others may be combined with it.
fn close_within(schema: &mut Value) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.values_mut().for_each(close);
    }
    if schema["items"].is_object() {
        close(&mut schema["items"]);
    }
    for combination in ["allOf", "oneOf", "anyOf"] {
        schema[combination].as_array_mut().into_iter().flatten().for_each(close_within);
    }
    // Looking for what is not there has left nulls.
    schema.as_object_mut().unwrap().retain(|_, value| !value.is_null());
}

/// Calls a function with each schema in another, itself included.
fn each<'a>(schema: &'a Value, seen: &mut impl FnMut(&'a Value)) {
    seen(schema);
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| each(value, seen)),
        Value::Array(items) => items.iter().for_each(|value| each(value, seen)),
        _ => {}
    }
}

fn references(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(schema, &mut |part| {
        let name = part.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/components/schemas/"));
        found.extend(name.map(str::to_owned));
    });
    found
}

#[test]
fn what_is_written_and_what_was_ever_stored_is_as_documented() {
    for (line, event_type, payload) in stored_events::written() {
        assert_eq!(with_formats().problem(&event_type, &payload), None, "{line}");
    }
}

#[test]
fn every_event_type_has_one_schema_and_says_what_happened() {
    let documented: Vec<_> = events()
        .into_iter()
        .flat_map(|event| {
            let of = |aggregate_type: &str| (aggregate_type.to_owned(), event.event_type.to_owned());
            event.aggregate_types.into_iter().map(of).collect::<Vec<_>>()
        })
        .collect();
    let distinct: BTreeSet<_> = documented.iter().cloned().collect();
    assert_eq!(distinct.len(), documented.len(), "two schemas of one event type");
    assert_eq!(distinct, stored_events::every_type());
    for event in events() {
        let schema = json!(event.schema);
        let mut tags = BTreeSet::new();
        each(&schema, &mut |part| tags.extend(part.get("type").filter(|tag| tag.is_object()).map(ToString::to_string)));
        assert_eq!(tags, BTreeSet::from([json!({"type": "string", "enum": [event.event_type]}).to_string()]));
        assert!(event.description.ends_with('.'), "{}: {:?}", event.event_type, event.description);
    }
}

#[test]
fn components_are_what_events_refer_to_each_under_a_name_of_its_own() {
    let components: BTreeMap<_, _> = components().into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    let mut wanted: BTreeSet<_> = events().iter().flat_map(|event| references(&json!(event.schema))).collect();
    loop {
        let further: BTreeSet<_> = wanted.iter().flat_map(|name| references(&components[name])).collect();
        if further.is_subset(&wanted) {
            break;
        }
        wanted.extend(further);
    }
    assert_eq!(components.keys().cloned().collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn what_may_be_left_out_is_never_null() {
    let events = events().into_iter().map(|event| (event.event_type.to_owned(), json!(event.schema)));
    let components = components().into_iter().map(|(name, schema)| (name, json!(schema)));
    for (name, schema) in events.chain(components) {
        each(&schema, &mut |part| {
            let Some(properties) = part.get("properties").and_then(Value::as_object) else { return };
            let required = part.get("required").cloned().unwrap_or_default();
            for (field, property) in properties {
                let is_required = required.as_array().is_some_and(|names| names.contains(&field.as_str().into()));
                let is_nullable = property["type"].as_array().is_some_and(|types| types.contains(&"null".into()))
                    || property["oneOf"].as_array().is_some_and(|one_of| one_of.contains(&json!({"type": "null"})));
                // Version 1 left it out, later ones write null.
                let is_both = (name.as_str(), field.as_str()) == ("InvitationSent", "invited_by");
                assert!(
                    is_required || !is_nullable || is_both,
                    "{name}.{field} is neither always there nor never null"
                );
            }
        });
    }
}

#[test]
fn limits_are_those_of_the_types() {
    let components: BTreeMap<_, _> = components().into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    for (name, keyword, limit) in [
        ("Name", "maxLength", Name::LIMIT),
        ("Prose", "maxLength", Prose::LIMIT),
        ("ProgramText", "maxLength", Code::LIMIT),
        ("TimeoutSeconds", "maximum", Timeout::LIMIT.try_into().unwrap()),
        ("MaxAttempts", "maximum", MaxAttempts::LIMIT.try_into().unwrap()),
        ("JobPriority", "maximum", Priority::LEAST.into()),
        ("UniqueSeconds", "maximum", UniqueSeconds::LIMIT.try_into().unwrap()),
        ("JobKeyName", "maxLength", Key::LIMIT),
    ] {
        assert_eq!(components[name][keyword].as_f64(), json!(limit).as_f64(), "{name}");
    }
    let size = &components["FileContent"]["properties"]["size"]["maximum"];
    assert_eq!(size.as_f64(), json!(Content::LIMIT).as_f64());
}

#[test]
fn what_is_not_documented_is_a_problem() {
    let problem = |event_type, payload: Value| with_formats().problem(event_type, &payload.to_string());
    let id = "00000000-0000-0000-0000-000000000ada";
    assert_eq!(problem("MemberAdded", json!({"type": "MemberAdded", "account_id": id, "role": "owner"})), None);
    for wrong in [
        json!({"type": "MemberRemoved", "account_id": id, "role": "owner"}),
        json!({"type": "MemberAdded", "account_id": "ada", "role": "owner"}),
        json!({"type": "MemberAdded", "account_id": id, "role": "admin"}),
        json!({"type": "MemberAdded", "account_id": id, "role": null}),
        json!({"type": "MemberAdded", "account_id": id}),
        json!({"type": "MemberAdded", "account_id": id, "role": "owner", "more": 1}),
    ] {
        assert!(problem("MemberAdded", wrong.clone()).is_some(), "{wrong}");
    }
    for wrong in [
        json!({"type": "ProjectUpdated", "changes": {"team_lead": null}}),
        json!({"type": "ProjectUpdated", "changes": {"more": {"from": 1, "to": 2}}}),
        json!({"type": "ProjectUpdated", "changes": {"name": {"from": "Apollo", "to": ""}}}),
        json!({"type": "ProjectUpdated", "changes": {"is_public": {"from": true}}}),
    ] {
        assert!(problem("ProjectUpdated", wrong.clone()).is_some(), "{wrong}");
    }
}

#[test]
fn a_job_is_asked_for_as_one_version_tells_it_and_not_as_another() {
    let problem = |payload: &Value| with_formats().problem("JobRequested", &payload.to_string());
    let id = "00000000-0000-0000-0000-000000000ada";
    let with = |payload: &Value, changes: &Value| {
        let mut payload = payload.clone();
        for (name, value) in changes.as_object().unwrap() {
            payload[name] = value.clone();
        }
        payload
    };
    let asked = json!({"type": "JobRequested", "project_id": null, "submitted_by": id, "max_attempts": 1});
    let version_2 = with(&asked, &json!({"organization_id": null, "priority": 3}));
    let noop = with(&version_2, &json!({"job_type": "noop"}));
    let program = with(&asked, &json!({"job_type": "code_execution", "language": "c++", "timeout_seconds": 1}));
    let inline = with(&program, &json!({"organization_id": null, "priority": 3, "source": {"inline": {"code": "0"}}}));
    let version_1 = with(&program, &json!({"code": "0"}));
    for right in [&noop, &inline, &version_1, &with(&noop, &json!({"run_at": "2026-05-03T03:09:37Z", "key": "k"}))] {
        assert_eq!(problem(right), None, "{right}");
    }
    for wrong in [
        asked,
        version_2,
        program,
        with(&noop, &json!({"priority": 6})),
        with(&noop, &json!({"priority": null})),
        with(&noop, &json!({"max_attempts": 26})),
        with(&noop, &json!({"key": null})),
        with(&noop, &json!({"key": ""})),
        with(&noop, &json!({"run_at": "tomorrow"})),
        with(&noop, &json!({"more": 1})),
        with(&inline, &json!({"language": "C"})),
        with(&inline, &json!({"code": "0"})),
        with(&inline, &json!({"source": {"inline": {"code": "0", "stdin": null}}})),
        with(&inline, &json!({"source": {"input": {"size": 1}}})),
        with(&version_1, &json!({"priority": 3})),
    ] {
        assert!(problem(&wrong).is_some(), "{wrong}");
    }
}
