//! Loading an aggregate: from what is known of it, or its snapshot, or nothing, plus the events since.

use std::sync::Arc;

use cqrs_es::{
    Aggregate, EventEnvelope,
    persist::{EventUpcaster, PersistedEventRepository, PersistenceError, SerializedEvent},
};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_domain::{Decide, upcast};

use super::{Versioned, snapshot};

/// Most events of a page, where many of an aggregate's are looked at.
const PAGE: i64 = 200;

/// An event of an aggregate as it is stored.
#[derive(Clone, Debug, FromRow)]
pub struct StoredForm {
    /// Its place in the aggregate's stream.
    pub sequence: i64,
    /// Its type.
    pub event_type: String,
    /// The version of its stored form.
    pub event_version: String,
    /// What it says: JSON.
    pub payload: String,
}

/// Aggregates of this domain: decided by [`Decide`], known to cqrs-es under the same event type.
pub trait Stored: Decide + Aggregate<Event = <Self as Decide>::Event> {}
impl<A: Decide + Aggregate<Event = <A as Decide>::Event>> Stored for A {}

/// An aggregate could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A query to the database failed, also where postgres-es made it.
    #[error("the event log could not be read")]
    Database(#[from] sqlx::Error),
    /// postgres-es failed, and not because of the database.
    #[error("the event stream could not be read")]
    Stream(#[source] PersistenceError),
    /// A stored event is not one that this version knows.
    #[error("event {sequence} of {aggregate_type} {id} cannot be decoded")]
    Undecodable {
        /// The aggregate's type.
        aggregate_type: &'static str,
        /// The aggregate's id.
        id: Uuid,
        /// The event's sequence.
        sequence: i64,
        /// What serde found.
        source: serde_json::Error,
    },
    /// The stream has a hole.
    #[error("{aggregate_type} {id} lacks the event after sequence {after}")]
    Hole {
        /// The aggregate's type.
        aggregate_type: &'static str,
        /// The aggregate's id.
        id: Uuid,
        /// The last sequence before the hole.
        after: i64,
    },
}

impl From<PersistenceError> for LoadError {
    /// Takes out the database's own error, which postgres-es hides: a session that was ended is no failure of ours.
    fn from(error: PersistenceError) -> Self {
        match error {
            PersistenceError::ConnectionError(hidden) | PersistenceError::UnknownError(hidden) => {
                match hidden.downcast::<sqlx::Error>() {
                    Ok(database) => Self::Database(*database),
                    Err(other) => Self::Stream(PersistenceError::UnknownError(other)),
                }
            }
            other => Self::Stream(other),
        }
    }
}

/// A loaded aggregate, and how many events had to be read for it.
pub(super) struct Loaded<A> {
    pub(super) versioned: Arc<Versioned<A>>,
    pub(super) from_history: i64,
}

pub(super) struct Loader {
    pool: PgPool,
    repository: PostgresEventRepository,
    upcasters: Vec<Box<dyn EventUpcaster>>,
}

impl Loader {
    pub(super) fn new(pool: PgPool) -> Self {
        let repository = PostgresEventRepository::new(pool.clone());
        Self { pool, repository, upcasters: upcast::upcasters() }
    }

    pub(super) async fn load<A: Stored>(
        &self,
        id: Uuid,
        known: Option<Arc<Versioned<A>>>,
    ) -> Result<Loaded<A>, LoadError> {
        let base = match known {
            Some(known) => known,
            None => Arc::new(snapshot::find(&self.pool, id).await?.unwrap_or_else(|| Versioned {
                id,
                state: A::default(),
                sequence: 0,
            })),
        };
        let after = usize::try_from(base.sequence).unwrap_or_default();
        let events = self.repository.get_last_events::<A>(&id.to_string(), after).await?;
        if events.is_empty() {
            return Ok(Loaded { versioned: base, from_history: 0 });
        }
        let from_history = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let mut versioned = Arc::unwrap_or_clone(base);
        for event in events {
            self.fold(&mut versioned, event)?;
        }
        Ok(Loaded { versioned: Arc::new(versioned), from_history })
    }

    fn fold<A: Stored>(&self, versioned: &mut Versioned<A>, event: SerializedEvent) -> Result<(), LoadError> {
        let (aggregate_type, id) = (<A as Decide>::TYPE, versioned.id);
        let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
        if sequence != versioned.sequence + 1 {
            return Err(LoadError::Hole { aggregate_type, id, after: versioned.sequence });
        }
        let event = self.newest::<A>(id, event)?;
        versioned.state.evolve(&event);
        versioned.sequence = sequence;
        Ok(())
    }

    /// An event in its newest form.
    fn newest<A: Stored>(&self, id: Uuid, event: SerializedEvent) -> Result<<A as Decide>::Event, LoadError> {
        let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
        let payload = upcast::upcast(&self.upcasters, event).payload;
        serde_json::from_value(payload).map_err(|source| LoadError::Undecodable {
            aggregate_type: <A as Decide>::TYPE,
            id,
            sequence,
            source,
        })
    }

    pub(super) async fn stored_events<A: Stored>(
        &self,
        id: Uuid,
        after: i64,
        until: i64,
    ) -> Result<Vec<StoredForm>, LoadError> {
        let page: Vec<StoredForm> = sqlx::query_as(
            "SELECT sequence, event_type, event_version, payload::text AS payload FROM events
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 AND sequence <= $4 ORDER BY sequence",
        )
        .bind(<A as Decide>::TYPE)
        .bind(id.to_string())
        .bind(after)
        // Sequences have no holes.
        .bind(until.min(after + PAGE))
        .fetch_all(&self.pool)
        .await?;
        let found = page.iter().zip(after + 1..).take_while(|(event, expected)| event.sequence == *expected).count();
        if found < page.len() || page.is_empty() && after < until {
            let after = after + i64::try_from(found).unwrap_or_default();
            return Err(LoadError::Hole { aggregate_type: <A as Decide>::TYPE, id, after });
        }
        Ok(page)
    }

    pub(super) fn decode<A: Stored>(
        &self,
        id: Uuid,
        sequence: i64,
        (event_type, event_version): (&str, &str),
        payload: &str,
    ) -> Result<<A as Decide>::Event, LoadError> {
        let aggregate_type = <A as Decide>::TYPE;
        let payload = serde_json::from_str(payload).map_err(|source| LoadError::Undecodable {
            aggregate_type,
            id,
            sequence,
            source,
        })?;
        let stored = SerializedEvent::new(
            id.to_string(),
            usize::try_from(sequence).unwrap_or_default(),
            aggregate_type.to_owned(),
            event_type.to_owned(),
            event_version.to_owned(),
            payload,
            serde_json::Value::Null,
        );
        self.newest::<A>(id, stored)
    }

    pub(super) async fn envelopes<A: Stored>(&self, id: Uuid) -> Result<Vec<EventEnvelope<A>>, LoadError> {
        let events = self.repository.get_events::<A>(&id.to_string()).await?;
        events.into_iter().map(|event| Ok(upcast::upcast(&self.upcasters, event).try_into()?)).collect()
    }

    pub(super) async fn sequences(&self, aggregates: &[(&'static str, Uuid)]) -> Result<Vec<i64>, sqlx::Error> {
        let types: Vec<&str> = aggregates.iter().map(|(aggregate_type, _)| *aggregate_type).collect();
        let ids: Vec<String> = aggregates.iter().map(|(_, id)| id.to_string()).collect();
        sqlx::query_scalar(
            "SELECT COALESCE((SELECT e.sequence FROM events e
                              WHERE e.aggregate_type = a.type AND e.aggregate_id = a.id
                              ORDER BY e.sequence DESC LIMIT 1), 0)
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (type, id, ordinal) ORDER BY a.ordinal",
        )
        .bind(types)
        .bind(ids)
        .fetch_all(&self.pool)
        .await
    }
}
