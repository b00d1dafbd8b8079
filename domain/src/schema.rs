//! The schema of each event's stored form, for the `OpenAPI` document (feature `openapi`).
//!
//! Schemas are derived beside the types that serde writes, so that one attribute is next to the other. What serde always writes
//! is required, and null where there is nothing; what it leaves out is not required, and never null. A new event has its schema
//! by its enum's derive. `tests/domain/schemas.rs` compares the schemas with what is written, and with what was ever stored.

mod change;
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
    /// The name of its aggregate, as in the log's `aggregate_type`.
    pub aggregate_type: &'static str,
    /// A sentence about what happened: the doc comment of the event's variant.
    pub description: String,
    /// The schema of the payload: an object whose `type` is the event's name. It holds for every version that was ever stored.
    pub schema: RefOr<Schema>,
}

/// The fields that a later version of an event brought. History shows events as they were stored, so earlier ones lack them.
const ADDED_LATER: [(&str, &str); 3] =
    [("AccountDeactivated", "by"), ("AccountReactivated", "by"), ("InvitationSent", "invited_by")];

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
        if let Some(mut variant) = variants.remove(*event_type) {
            for (_, field) in ADDED_LATER.iter().filter(|(later, _)| later == event_type) {
                variant.may_lack(field);
            }
            let (description, schema) = variant.finish();
            found.push(EventSchema { event_type, aggregate_type: A::TYPE, description, schema });
        }
    }
}

/// Everything that the schemas of [`events`] refer to, each once, by name.
pub fn components() -> Components {
    let mut found = Vec::new();
    each_aggregate!(call, add_components, found);
    found.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn add_components<A: Decide>(found: &mut Components)
where
    A::Event: ToSchema,
{
    A::Event::schemas(found);
}
