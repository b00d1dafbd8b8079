//! Reading the event log in order of position.

use std::collections::HashMap;

use crate::recent::{RecentEvents, StoredEvent};
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use futures::TryStreamExt;
use sqlx::{PgExecutor, Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    event::{AGGREGATE_TYPES, DomainEventKind, UndecodableEvent},
    metadata::{Metadata, UnreadableMetadata},
    upcast,
};

/// An event as the log holds it, decoded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the whole log.
    pub position: i64,
    /// Id of the event, unique in the whole log.
    pub event_id: Uuid,
    /// The feed it belongs to.
    pub feed_id: Uuid,
    /// Its place in the feed.
    pub feed_seq: i64,
    /// The aggregate it happened to.
    pub aggregate_id: Uuid,
    /// Its place in the aggregate's stream.
    pub sequence: i64,
    /// The event in its newest form: older forms are lifted when they are read.
    pub event: DomainEventKind,
    /// Who, when, why.
    pub metadata: Metadata,
    /// When the log recorded it.
    pub recorded_at: OffsetDateTime,
}

impl Recorded {
    /// The account that caused it; nil when the service itself did.
    pub fn actor(&self) -> Uuid {
        self.metadata.actor.account().map_or_else(Uuid::nil, Into::into)
    }
}

/// A place in the log, with its event if the reader asked for events of that type.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its position; the entries that are read have no hole between their positions.
    pub position: i64,
    /// The event, when the reader wants its type.
    pub recorded: Option<Recorded>,
}

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A query failed, or a column could not be decoded.
    #[error("the event log could not be read")]
    Database(#[from] sqlx::Error),
    /// A position is missing (law 4).
    #[error("the event log has a hole: position {found} follows {after}")]
    Hole {
        /// The last position before the hole.
        after: i64,
        /// The first one behind it.
        found: i64,
    },
    /// An event is not one that this version knows.
    #[error("the event at position {position} cannot be decoded")]
    Event {
        /// Position of the event that cannot be decoded.
        position: i64,
        /// What is wrong with it: its aggregate type is unknown, or its payload does not fit.
        source: UndecodableEvent,
    },
    /// An event's metadata cannot be read.
    #[error("the metadata at position {position} cannot be read")]
    Metadata {
        /// Position of the event whose metadata cannot be read.
        position: i64,
        /// What is missing from the metadata, or has another form.
        source: UnreadableMetadata,
    },
    /// An aggregate's id is not a UUID.
    #[error("the aggregate id at position {position} is not a UUID")]
    AggregateId {
        /// Position of the event with that id.
        position: i64,
    },
}

impl LogError {
    /// The position that the error is about, if it is about one.
    pub fn position(&self) -> Option<i64> {
        match self {
            Self::Database(_) => None,
            Self::Hole { found, .. } => Some(*found),
            Self::Event { position, .. } | Self::Metadata { position, .. } | Self::AggregateId { position } => {
                Some(*position)
            }
        }
    }
}

/// Payloads of one batch, in bytes, beyond which no further event is read: a log of large programs must not fill memory.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Reads the log for one reader: decodes the aggregate types it wants, and watches over the positions of all.
pub struct LogReader {
    wanted: Vec<&'static str>,
    upcasters: Vec<Box<dyn EventUpcaster>>,
    recent: RecentEvents,
    server: String,
}

impl LogReader {
    /// A reader of these aggregate types.
    pub fn new(wanted: Vec<&'static str>) -> Self {
        Self { wanted, upcasters: upcast::upcasters(), recent: RecentEvents::default(), server: String::new() }
    }

    /// The same reader, which takes what this process has just written from memory.
    #[must_use]
    pub fn with_recent(self, recent: RecentEvents) -> Self {
        Self { recent, ..self }
    }

    /// A reader of every event.
    pub fn everything() -> Self {
        Self::new(AGGREGATE_TYPES.to_vec())
    }

    /// Notes which server the session is with that the log will be read over: what this process wrote to another one is not
    /// taken from memory then. To be called with each new session.
    pub async fn attach(&mut self, executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        self.server = server(executor).await?;
        Ok(())
    }

    /// Reads up to `limit` entries after `after`, not beyond `until`; fewer when they are large.
    ///
    /// # Errors
    /// See [`LogError`]; above all a hole in the positions, which must stop whoever sees it.
    pub async fn read(
        &self,
        executor: impl PgExecutor<'_>,
        after: i64,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, LogError> {
        let recent = self.recent.after(&self.server, after, usize::try_from(limit).unwrap_or_default(), BATCH_BYTES);
        if !recent.is_empty() {
            return recent.iter().take_while(|event| event.position <= until).map(|event| self.entry(event)).collect();
        }
        let mut rows = sqlx::query(
            "SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type,
                    event_version, recorded_at,
                    CASE WHEN aggregate_type = ANY($4) THEN payload::text END AS payload,
                    CASE WHEN aggregate_type = ANY($4) THEN metadata::text END AS metadata
             FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
        )
        .bind(after)
        .bind(until)
        .bind(limit)
        .bind(&self.wanted)
        .fetch(executor);
        let mut last = after;
        let mut bytes = 0;
        let mut entries = Vec::new();
        while let Some(row) = rows.try_next().await? {
            bytes += row.try_get::<Option<&str>, _>("payload")?.map_or(0, str::len);
            let entry = self.decode(&row)?;
            if entry.position != last + 1 {
                return Err(LogError::Hole { after: last, found: entry.position });
            }
            last = entry.position;
            entries.push(entry);
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        Ok(entries)
    }

    /// The last event of each of these aggregates, redactions of others aside, all as they stood at one moment; of those without an event none. In no
    /// order.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn last_of_each(
        &self,
        executor: impl PgExecutor<'_>,
        aggregate_type: &str,
        ids: &[Uuid],
    ) -> Result<Vec<Recorded>, LogError> {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        // One statement sees one state of the log: events are committed in the order of their positions.
        let rows = sqlx::query(
            "SELECT e.position, e.event_id, e.feed_id, e.feed_seq, e.aggregate_type, e.aggregate_id, e.sequence,
                    e.event_type, e.event_version, e.recorded_at, e.payload::text AS payload,
                    e.metadata::text AS metadata
             FROM unnest($2::text[]) AS a (id) CROSS JOIN LATERAL (
                 SELECT * FROM events e WHERE e.aggregate_type = $1 AND e.aggregate_id = a.id
                   AND e.event_type <> 'PayloadRedacted' ORDER BY e.sequence DESC LIMIT 1) AS e",
        )
        .bind(aggregate_type)
        .bind(ids)
        .fetch_all(executor)
        .await?;
        rows.iter().filter_map(|row| self.decode(row).map(|entry| entry.recorded).transpose()).collect()
    }

    pub(crate) fn decode(&self, row: &PgRow) -> Result<Entry, LogError> {
        let position: i64 = row.try_get("position")?;
        let Some(payload) = row.try_get::<Option<&str>, _>("payload")? else {
            return Ok(Entry { position, recorded: None });
        };
        let aggregate_type: &str = row.try_get("aggregate_type")?;
        let aggregate_id: &str = row.try_get("aggregate_id")?;
        let sequence: i64 = row.try_get("sequence")?;
        let decoded = match self.upcast(row, aggregate_type, aggregate_id, sequence, payload)? {
            Some(lifted) => DomainEventKind::decode(aggregate_type, &lifted),
            None => DomainEventKind::decode(aggregate_type, payload),
        };
        let event = decoded.map_err(|source| LogError::Event { position, source })?;
        let unreadable = |source| LogError::Metadata { position, source };
        let map: HashMap<String, String> = serde_json::from_str(row.try_get("metadata")?)
            .map_err(|_| unreadable(UnreadableMetadata::Missing("metadata")))?;
        let recorded = Recorded {
            position,
            event_id: row.try_get("event_id")?,
            feed_id: row.try_get("feed_id")?,
            feed_seq: row.try_get("feed_seq")?,
            aggregate_id: Uuid::try_parse(aggregate_id).map_err(|_| LogError::AggregateId { position })?,
            sequence,
            event,
            metadata: Metadata::from_map(&map).map_err(unreadable)?,
            recorded_at: row.try_get("recorded_at")?,
        };
        Ok(Entry { position, recorded: Some(recorded) })
    }

    /// What was just written is in today's form.
    fn entry(&self, stored: &StoredEvent) -> Result<Entry, LogError> {
        let position = stored.position;
        if !self.wanted.contains(&stored.aggregate_type) {
            return Ok(Entry { position, recorded: None });
        }
        let event = DomainEventKind::decode(stored.aggregate_type, &stored.payload)
            .map_err(|source| LogError::Event { position, source })?;
        let unreadable = |source| LogError::Metadata { position, source };
        let map: HashMap<String, String> =
            serde_json::from_str(&stored.metadata).map_err(|_| unreadable(UnreadableMetadata::Missing("metadata")))?;
        let recorded = Recorded {
            position,
            event_id: stored.event_id,
            feed_id: stored.feed_id,
            feed_seq: stored.feed_seq,
            aggregate_id: stored.aggregate_id,
            sequence: stored.sequence,
            event,
            metadata: Metadata::from_map(&map).map_err(unreadable)?,
            recorded_at: stored.recorded_at,
        };
        Ok(Entry { position, recorded: Some(recorded) })
    }

    /// The payload lifted to today's form, if any upcaster claims it.
    fn upcast(
        &self,
        row: &PgRow,
        aggregate_type: &str,
        aggregate_id: &str,
        sequence: i64,
        payload: &str,
    ) -> Result<Option<String>, LogError> {
        let event_type: &str = row.try_get("event_type")?;
        let event_version: &str = row.try_get("event_version")?;
        if !self.upcasters.iter().any(|upcaster| upcaster.can_upcast(event_type, event_version)) {
            return Ok(None);
        }
        let position: i64 = row.try_get("position")?;
        let payload = serde_json::from_str(payload).map_err(|source| LogError::Event {
            position,
            source: UndecodableEvent::Payload { aggregate_type: aggregate_type.to_owned(), source },
        })?;
        let stored = SerializedEvent::new(
            aggregate_id.to_owned(),
            usize::try_from(sequence).unwrap_or_default(),
            aggregate_type.to_owned(),
            event_type.to_owned(),
            event_version.to_owned(),
            payload,
            serde_json::Value::Null,
        );
        Ok(Some(upcast::upcast(&self.upcasters, stored).payload.to_string()))
    }
}

/// Which server process this is, and on which timeline.
pub async fn server(executor: impl PgExecutor<'_>) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT server_incarnation()").fetch_one(executor).await
}

/// The last position of the log.
pub async fn head(executor: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE((SELECT position FROM events ORDER BY position DESC LIMIT 1), 0)")
        .fetch_one(executor)
        .await
}

/// Which history this is: changes when the log was restored to an earlier state.
pub async fn epoch(executor: impl PgExecutor<'_>) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar("SELECT epoch FROM log_epoch").fetch_one(executor).await
}
