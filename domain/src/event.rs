//! Every event of every aggregate in one enum, for those who read the whole log.

use cqrs_es::DomainEvent;

use crate::Decide;

/// The stored event is not one that this version of the service knows.
#[derive(Debug, thiserror::Error)]
pub enum UndecodableEvent {
    /// The aggregate type is unknown.
    #[error("unknown aggregate type `{0}`")]
    AggregateType(String),
    /// The payload does not fit the event's type.
    #[error("the payload of a `{aggregate_type}` event does not fit its type")]
    Payload {
        /// The aggregate's type.
        aggregate_type: String,
        /// What serde found.
        source: serde_json::Error,
    },
}

macro_rules! domain_event_kind {
    ([] $($(#[doc = $doc:literal])+ $module:ident::$aggregate:ident, $event:ident;)+) => {
        /// An event of any aggregate.
        #[derive(Clone, Debug, PartialEq)]
        pub enum DomainEventKind {
            $($(#[doc = $doc])+ $aggregate(crate::$module::$event),)+
        }

        /// The names of all aggregates, as in the log's `aggregate_type`.
        pub const AGGREGATE_TYPES: &[&str] = &[$(<crate::$module::$aggregate as Decide>::TYPE),+];

        impl DomainEventKind {
            /// Reads a stored (and upcast) payload.
            pub fn decode(aggregate_type: &str, payload: &str) -> Result<Self, UndecodableEvent> {
                let decoded = match aggregate_type {
                    $(<crate::$module::$aggregate as Decide>::TYPE => {
                        serde_json::from_str(payload).map(Self::$aggregate)
                    })+
                    other => return Err(UndecodableEvent::AggregateType(other.to_owned())),
                };
                decoded.map_err(|source| UndecodableEvent::Payload { aggregate_type: aggregate_type.to_owned(), source })
            }

            /// The event's name, as in the log's `event_type`.
            pub fn event_type(&self) -> String {
                match self {
                    $(Self::$aggregate(event) => event.event_type(),)+
                }
            }
        }
    };
}
each_aggregate!(domain_event_kind);

/// Implements `cqrs_es::DomainEvent`: the name of each variant and the version of its stored form. Raise a version,
/// and write an upcaster beside the event, whenever the stored JSON of a variant changes its meaning.
macro_rules! domain_event {
    ($event:ident { $($variant:ident => $version:literal),+ $(,)? }) => {
        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                match self { $(Self::$variant { .. } => stringify!($variant)),+ }.to_owned()
            }

            fn event_version(&self) -> String {
                match self { $(Self::$variant { .. } => $version),+ }.to_owned()
            }
        }

        #[cfg(feature = "openapi")]
        impl $crate::schema::EventTypes for $event {
            const EVENT_TYPES: &'static [&'static str] = &[$(stringify!($variant)),+];
        }
    };
}
pub(crate) use domain_event;
