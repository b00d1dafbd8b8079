//! What the log keeps beside every event: who, when, and why.

use std::collections::HashMap;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::actor::{Actor, UnknownActor};

/// What the log keeps beside every event. Stored as a flat map of strings, the form that cqrs-es reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Who caused the event.
    pub actor: Actor,
    /// When the command was decided, by the clock of the deciding process. (`recorded_at` is the log's own, and never
    /// runs backwards.)
    pub occurred_at: OffsetDateTime,
    /// The request that everything downstream of it shares.
    pub correlation_id: Uuid,
    /// The event that made the service act, when no person asked.
    pub causation_id: Option<Uuid>,
    /// The W3C trace the request belonged to (<https://www.w3.org/TR/trace-context/>).
    pub trace_id: Option<String>,
}

/// The stored metadata does not have the expected form.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableMetadata {
    /// A required entry is absent.
    #[error("event metadata lacks `{0}`")]
    Missing(&'static str),
    /// The actor is not known.
    #[error("event metadata names an unknown actor")]
    Actor(#[from] UnknownActor),
    /// The time is not RFC 3339.
    #[error("event metadata holds an unreadable time")]
    Time(#[from] time::error::Parse),
    /// An id is not a UUID.
    #[error("event metadata holds an unreadable id")]
    Id(#[from] uuid::Error),
}

const ACTOR: &str = "actor";
const OCCURRED_AT: &str = "occurred_at";
const CORRELATION_ID: &str = "correlation_id";
const CAUSATION_ID: &str = "causation_id";
const TRACE_ID: &str = "trace_id";

impl Metadata {
    /// The stored form.
    ///
    /// # Errors
    /// Only for years that RFC 3339 cannot write (beyond 9999).
    pub fn to_map(&self) -> Result<HashMap<String, String>, time::error::Format> {
        let mut map = HashMap::from([
            (ACTOR.to_owned(), self.actor.to_string()),
            (OCCURRED_AT.to_owned(), self.occurred_at.format(&Rfc3339)?),
            (CORRELATION_ID.to_owned(), self.correlation_id.to_string()),
        ]);
        if let Some(id) = self.causation_id {
            map.insert(CAUSATION_ID.to_owned(), id.to_string());
        }
        if let Some(id) = &self.trace_id {
            map.insert(TRACE_ID.to_owned(), id.clone());
        }
        Ok(map)
    }

    /// Reads the stored form.
    pub fn from_map(map: &HashMap<String, String>) -> Result<Self, UnreadableMetadata> {
        let entry = |name: &'static str| map.get(name).ok_or(UnreadableMetadata::Missing(name));
        Ok(Self {
            actor: entry(ACTOR)?.parse()?,
            occurred_at: OffsetDateTime::parse(entry(OCCURRED_AT)?, &Rfc3339)?,
            correlation_id: entry(CORRELATION_ID)?.parse()?,
            causation_id: map.get(CAUSATION_ID).map(|id| id.parse()).transpose()?,
            trace_id: map.get(TRACE_ID).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;

    #[test]
    fn metadata_survives_its_stored_form() {
        let metadata = Metadata {
            actor: Actor::Account(AccountId(Uuid::from_u128(1))),
            occurred_at: OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_456_000).unwrap(),
            correlation_id: Uuid::from_u128(2),
            causation_id: Some(Uuid::from_u128(3)),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        };
        assert_eq!(Metadata::from_map(&metadata.to_map().unwrap()).unwrap(), metadata);
    }
}
