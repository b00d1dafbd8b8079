//! Upcasters: they lift a stored event of an old version to the form that today's code reads. History itself is never
//! rewritten (law 3).
//!
//! To change an event's stored form: raise its version in `domain_event!`, add a
//! [`SemanticVersionEventUpcaster`](cqrs_es::persist::SemanticVersionEventUpcaster) for the old one to [`upcasters`],
//! and leave the snapshot test of the old JSON in place: it proves that old history still reads.

use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster, SerializedEvent};
use serde_json::{Value, json};

use crate::job::Priority;

/// All upcasters, oldest first, so that one event may climb several versions.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![
        // Whoever closed an account before that was told counts as the operator, whom nobody overrules.
        lift("AccountDeactivated", "2", |payload| payload["by"] = "operator".into()),
        lift("AccountReactivated", "2", |payload| payload["by"] = "operator".into()),
        lift("InvitationSent", "2", |payload| payload["invited_by"] = Value::Null),
        lift("JobRequested", "2", keep_source_inline),
        // The limit is called `time` since.
        lift("JobAttemptFailed", "2", |payload| {
            if let Some(limit) = payload.pointer_mut("/failure/outcome/limit_hit").filter(|limit| *limit == "timeout") {
                *limit = "time".into();
            }
        }),
    ]
}

/// Programs stood in the event, and all jobs were equally urgent.
fn keep_source_inline(payload: &mut Value) {
    let Some(fields) = payload.as_object_mut() else { return };
    let inline: serde_json::Map<_, _> =
        ["code", "stdin"].into_iter().filter_map(|name| Some((name.to_owned(), fields.remove(name)?))).collect();
    fields.insert("source".to_owned(), json!({ "inline": inline }));
    fields.insert("organization_id".to_owned(), Value::Null);
    fields.insert("priority".to_owned(), Priority::default().number().into());
}

/// Lifts events of one type to a version, from the one before.
fn lift(
    event_type: &str,
    version: &str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> Box<dyn EventUpcaster> {
    let lift = move |mut payload: Value| {
        change(&mut payload);
        payload
    };
    Box::new(SemanticVersionEventUpcaster::new(event_type, version, Box::new(lift)))
}

/// Lifts one stored event through all upcasters that claim it.
pub fn upcast(upcasters: &[Box<dyn EventUpcaster>], event: SerializedEvent) -> SerializedEvent {
    upcasters.iter().fold(event, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) { upcaster.upcast(event) } else { event }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_event_climbs_through_every_version_between() {
        let renamed = SemanticVersionEventUpcaster::new(
            "Renamed",
            "2",
            Box::new(|mut payload| {
                payload["title"] = payload["name"].take();
                payload
            }),
        );
        let shouted = SemanticVersionEventUpcaster::new(
            "Renamed",
            "3",
            Box::new(|mut payload| {
                payload["title"] = payload["title"].as_str().unwrap_or_default().to_uppercase().into();
                payload
            }),
        );
        let chain: Vec<Box<dyn EventUpcaster>> = vec![Box::new(renamed), Box::new(shouted)];
        let old = SerializedEvent::new(
            "id".into(),
            1,
            "thing".into(),
            "Renamed".into(),
            "1".into(),
            json!({"name": "apollo"}),
            json!({}),
        );
        assert_eq!(upcast(&chain, old).payload["title"], "APOLLO");
    }
}
