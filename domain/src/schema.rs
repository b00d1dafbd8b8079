//! The schema of each event's stored form, for the `OpenAPI` document (feature `openapi`).
//!
//! Schemas are derived beside the types that serde writes, so that one attribute is next to the other. What serde always writes
//! is required, and null where there is nothing; what it leaves out is not required, and never null. A new event has its schema
//! by its enum's derive. `tests/domain/schemas.rs` compares the schemas with what is written, and with what was ever stored.

mod change;
mod former;
mod variant;

use std::collections::BTreeMap;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

pub(crate) use change::{ChangesSchema, add};

use crate::Decide;

/// Schemas by the names under which others refer to them (`#/components/schemas/<name>`).
pub type Components = Vec<(String, RefOr<Schema>)>;

/// The event types of an aggregate, in the order of their declaration.
pub trait EventTypes {
    /// As in the log's `event_type`.
    const EVENT_TYPES: &'static [&'static str];
}

/// What an event of one type says.
#[derive(Clone)]
pub struct EventSchema {
    /// The event's name, as in the log's `event_type`.
    pub event_type: &'static str,
    /// The names of its aggregates, as in the log's `aggregate_type`. Most events are of one.
    pub aggregate_types: Vec<&'static str>,
    /// A sentence about what happened: the doc comment of the event's variant.
    pub description: String,
    /// The schema of the payload: an object whose `type` is the event's name. It holds for every version that was ever stored.
    pub schema: RefOr<Schema>,
}

/// The fields that a later version of an event brought. History shows events as they were stored, so earlier ones lack them.
const ADDED_LATER: [(&str, &str); 3] =
    [("AccountDeactivated", "by"), ("AccountReactivated", "by"), ("InvitationSent", "invited_by")];

/// The events that had another form in an earlier version, and the component that shows it.
const FORMER_FORMS: [(&str, &str); 1] = [("JobRequested", former::JOB_REQUEST)];

/// Values that only earlier versions of events have, by component.
const FORMER_VALUES: [(&str, &str); 1] = [("EventLimitHit", "timeout")];

/// Calls a function for each aggregate.
macro_rules! call {
    ([$function:ident $found:ident] $($(#[$doc:meta])+ $module:ident::$aggregate:ident, $event:ident;)+) => {
        $($function::<crate::$module::$aggregate>(&mut $found);)+
    };
}

/// The schema of every event type.
pub fn events() -> Vec<EventSchema> {
    let mut found = Vec::new();
    each_aggregate!(call, add_events, found);
    found
}

fn add_events<A: Decide>(found: &mut Vec<EventSchema>)
where
    A::Event: PartialSchema + EventTypes,
{
    let mut variants = variant::of(A::Event::schema());
    for event_type in A::Event::EVENT_TYPES {
        // An event of several aggregates is the same in each.
        if let Some(known) = found.iter_mut().find(|known| known.event_type == *event_type) {
            known.aggregate_types.push(A::TYPE);
            continue;
        }
        if let Some(mut variant) = variants.remove(*event_type) {
            for (_, field) in ADDED_LATER.iter().filter(|(later, _)| later == event_type) {
                variant.may_lack(field);
            }
            for (_, component) in FORMER_FORMS.iter().filter(|(former, _)| former == event_type) {
                variant.may_be(component);
            }
            let (description, schema) = variant.finish();
            found.push(EventSchema { event_type, aggregate_types: vec![A::TYPE], description, schema });
        }
    }
}

/// Everything that the schemas of [`events`] refer to, each once, by name.
pub fn components() -> Components {
    let mut found = Vec::new();
    each_aggregate!(call, add_components, found);
    former::add_components(&mut found);
    let mut components: BTreeMap<_, _> = found.into_iter().collect();
    for (name, value) in FORMER_VALUES {
        if let Some(RefOr::T(Schema::Object(schema))) = components.get_mut(name) {
            schema.enum_values.get_or_insert_default().push(value.into());
        }
    }
    components.into_iter().collect()
}

fn add_components<A: Decide>(found: &mut Components)
where
    A::Event: ToSchema,
{
    A::Event::schemas(found);
}
