//! An event of a history as its readers see it: as it is published, with who caused it by name.
//!
//! Names are no part of an event. They are looked up whenever a history is read, for all events of a page at once.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use uuid::Uuid;
use workroom_projections::{
    accounts::{self, NameRow},
    history::{self, EventRow, PublishedEvent},
};

use super::{SEEN_BY_VISITORS, State, Visibility};
use crate::{application::Error, http::openapi::events::Event};

/// What has become of who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorStatus {
    /// An account that may act.
    Active,
    /// An account that is closed for now.
    Deactivated,
    /// An account that was erased: nobody knows any more who it was.
    Erased,
    /// A part of the service.
    System,
}

/// An event of a history.
#[derive(Debug, Serialize)]
pub struct HistoryEvent {
    #[serde(flatten)]
    event: PublishedEvent,
    /// The name of who caused it.
    actor_name: Option<String>,
    /// What has become of them.
    actor_status: Option<ActorStatus>,
    /// Whether it was redacted: `data` is what is left of it. Absent where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
}

impl PartialSchema for HistoryEvent {
    fn schema() -> RefOr<Schema> {
        Event::schema()
    }
}

impl ToSchema for HistoryEvent {
    fn name() -> Cow<'static, str> {
        Event::name()
    }
}

impl HistoryEvent {
    /// As somebody sees it who may see the members.
    fn named(event: PublishedEvent, names: &HashMap<Uuid, NameRow>) -> Self {
        let (actor_name, actor_status) = match account(&event).map(|id| names.get(&id)) {
            None => (None, ActorStatus::System),
            Some(None) => (None, ActorStatus::Erased),
            Some(Some(found)) if found.is_deactivated => (Some(found.name.clone()), ActorStatus::Deactivated),
            Some(Some(found)) => (Some(found.name.clone()), ActorStatus::Active),
        };
        Self { event, actor_name, actor_status: Some(actor_status), redacted: false }
    }

    /// As a visitor of a public project sees it.
    fn for_visitors(mut event: PublishedEvent) -> Result<Self, Error> {
        if !SEEN_BY_VISITORS.contains(&event.aggregate_type.as_str()) {
            event.data = RawValue::from_string(r#"{"withheld":true}"#.to_owned()).map_err(Error::failure)?;
        }
        Ok(Self { event, actor_name: None, actor_status: None, redacted: false })
    }
}

/// The account that caused an event; none where a part of the service did.
fn account(event: &PublishedEvent) -> Option<Uuid> {
    event.actor.parse().ok()
}

/// Events as somebody sees them who may see so much of the history.
///
/// # Errors
/// The names cannot be read.
pub(super) async fn shown(
    state: &State,
    rows: Vec<EventRow>,
    visibility: Visibility,
) -> Result<Vec<HistoryEvent>, Error> {
    let mut events: Vec<_> = rows.into_iter().map(PublishedEvent::from_row).collect();
    let redacted = take_out(state, &mut events).await?;
    let marked = |shown: HistoryEvent| HistoryEvent { redacted: redacted.contains(&shown.event.position), ..shown };
    if visibility == Visibility::Visitor {
        return events.into_iter().map(|event| HistoryEvent::for_visitors(event).map(marked)).collect();
    }
    let actors: BTreeSet<Uuid> = events.iter().filter_map(account).collect();
    let mut names = HashMap::new();
    if !actors.is_empty() {
        let actors: Vec<Uuid> = actors.into_iter().collect();
        let found = accounts::names(state.app.pool(), &actors).await?;
        names.extend(found.into_iter().map(|found| (found.id, found)));
    }
    Ok(events.into_iter().map(|event| marked(HistoryEvent::named(event, &names))).collect())
}

/// Finds out which of these events were redacted, and puts what is left of them in the place of what was read a moment before.
async fn take_out(state: &State, events: &mut [PublishedEvent]) -> Result<BTreeSet<i64>, Error> {
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    if positions.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut left = history::redacted(state.app.pool(), &positions).await?;
    let redacted = left.keys().copied().collect();
    for event in events {
        if let Some(data) = left.remove(&event.position) {
            event.data = data;
        }
    }
    Ok(redacted)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(actor: &str, aggregate_type: &str) -> PublishedEvent {
        PublishedEvent {
            position: 7,
            seq: 3,
            event_id: Uuid::from_u128(1),
            feed_id: Uuid::from_u128(2),
            event_type: "JobRequested".to_owned(),
            event_version: "1".to_owned(),
            aggregate_type: aggregate_type.to_owned(),
            aggregate_id: Uuid::from_u128(3).to_string(),
            sequence: 1,
            occurred_at: "2026-11-20T10:00:00Z".to_owned(),
            recorded_at: time::macros::datetime!(2026-11-20 10:00 UTC),
            actor: actor.to_owned(),
            correlation_id: None,
            data: RawValue::from_string(r#"{"code": 1.10}"#.to_owned()).unwrap(),
        }
    }

    fn told(event: &HistoryEvent) -> Value {
        let text = serde_json::to_string(event).unwrap();
        // What is stored is shown as it is, to the byte.
        assert!(text.contains(r#""data":{"code": 1.10}"#) || text.contains(r#""data":{"withheld":true}"#), "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told.get("redacted"), event.redacted.then_some(&json!(true)));
        assert_eq!((&told["seq"], &told["recorded_at"]), (&json!(3), &json!("2026-11-20T10:00:00Z")));
        json!([told["actor_name"], told["actor_status"]])
    }

    #[test]
    fn who_caused_an_event_is_named_as_far_as_anybody_knows() {
        let [ada, grace, erased] = [4, 5, 6].map(Uuid::from_u128);
        let row =
            |id: Uuid, name: &str, is_deactivated: bool| (id, NameRow { id, name: name.to_owned(), is_deactivated });
        let names = HashMap::from([row(ada, "Ada", false), row(grace, "grace", true)]);
        for (actor, expected) in [
            (ada.to_string(), json!(["Ada", "active"])),
            (grace.to_string(), json!(["grace", "deactivated"])),
            (erased.to_string(), json!([null, "erased"])),
            ("system:worker".to_owned(), json!([null, "system"])),
        ] {
            assert_eq!(told(&HistoryEvent::named(event(&actor, "job"), &names)), expected, "{actor}");
        }
    }

    #[test]
    fn what_was_redacted_says_so() {
        let shown = HistoryEvent::named(event("system:worker", "job"), &HashMap::new());
        told(&shown);
        told(&HistoryEvent { redacted: true, ..shown });
    }

    #[test]
    fn a_visitor_is_told_no_names() {
        for (aggregate_type, data) in [("task", r#"{"code": 1.10}"#), ("job", r#"{"withheld":true}"#)] {
            let shown = HistoryEvent::for_visitors(event(&Uuid::from_u128(4).to_string(), aggregate_type)).unwrap();
            assert_eq!(shown.event.data.get(), data, "{aggregate_type}");
            assert_eq!(told(&shown), json!([null, null]));
        }
    }
}
