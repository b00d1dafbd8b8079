//! What a command wants to append, what it relied on, and what may come of it.

use cqrs_es::DomainEvent;
use uuid::Uuid;
use workroom_domain::metadata::Metadata;

use super::{Receipt, settlement::Settlement};

/// The sequence that an aggregate must still have when the append commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expected {
    /// The aggregate's type.
    pub aggregate_type: &'static str,
    /// The aggregate's id.
    pub aggregate_id: Uuid,
    /// The sequence of its last event; 0 for none.
    pub sequence: i64,
}

/// An event, ready to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Id of the event, unique in the whole log.
    pub event_id: Uuid,
    /// Name of the event, such as `ProjectCreated`, from [`DomainEvent::event_type`].
    pub event_type: String,
    /// The version of its stored form.
    pub event_version: String,
    /// Its stored form, JSON.
    pub payload: String,
    /// Who, when, why; JSON.
    pub metadata: String,
}

/// Events for one aggregate.
#[derive(Clone, Debug)]
pub struct StreamAppend {
    /// The aggregate, and where it must stand.
    pub expected: Expected,
    /// The feed that the events belong to.
    pub feed_id: Uuid,
    /// The events, in order; at least one.
    pub events: Vec<NewEvent>,
}

/// A change of tables beside the log that commits with an append, or not at all.
///
/// It runs inside the append's own statement, before it, so that no transaction is ever open while the server waits for the
/// client. Changes run in order, each sees what those before it did.
#[derive(Clone, Debug)]
pub struct TableStatement {
    /// One SQL statement. Its arguments are one `jsonb` value, `$1`.
    pub sql: &'static str,
    /// Its arguments, JSON.
    pub arguments: String,
    /// Whether the append fails when no row is changed or found: [`AppendError::TableRefused`].
    pub is_required: bool,
}

/// What one command wants to append: all of it commits, or none.
#[derive(Clone, Debug, Default)]
pub struct AppendRequest {
    /// Events, an aggregate each.
    pub streams: Vec<StreamAppend>,
    /// Aggregates that the command only read: what it decided holds only while they have not moved.
    pub guards: Vec<Expected>,
    /// The reply to give again, should the same command come again.
    pub receipt: Option<Receipt>,
    /// Changes of tables beside the log.
    pub tables: Vec<TableStatement>,
    /// Appends on their way that this one was decided on: without them it does not commit either.
    pub depends_on: Vec<Settlement>,
    /// The generation of the incarnation that the command was decided in; none: the one at hand.
    pub generation: Option<u64>,
}

impl AppendRequest {
    /// How many events are to be appended.
    pub fn event_count(&self) -> usize {
        self.streams.iter().map(|stream| stream.events.len()).sum()
    }

    /// How much text is to be appended, in bytes.
    pub fn bytes(&self) -> usize {
        let events = self.streams.iter().flat_map(|stream| &stream.events);
        let events: usize = events.map(|event| event.payload.len() + event.metadata.len()).sum();
        let tables: usize = self.tables.iter().map(|change| change.arguments.len()).sum();
        events + tables + self.receipt.as_ref().map_or(0, |receipt| receipt.body.len())
    }

    /// Where the request leaves the aggregates that it names.
    pub(super) fn sequences(&self) -> impl Iterator<Item = ((&'static str, Uuid), i64)> {
        let guards = self.guards.iter().map(|guard| ((guard.aggregate_type, guard.aggregate_id), guard.sequence));
        let streams = self.streams.iter().map(|stream| {
            let Expected { aggregate_type, aggregate_id, sequence } = stream.expected;
            ((aggregate_type, aggregate_id), sequence + i64::try_from(stream.events.len()).unwrap_or_default())
        });
        guards.chain(streams)
    }

    /// The id of the last event.
    pub(super) fn last_event(&self) -> Option<Uuid> {
        Some(self.streams.last()?.events.last()?.event_id)
    }

    /// Every aggregate whose sequence is checked.
    pub fn expectations(&self) -> impl Iterator<Item = &Expected> {
        self.streams.iter().map(|stream| &stream.expected).chain(&self.guards)
    }
}

/// The events are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the request's last event.
    pub position: i64,
}

/// The events are not committed (but see [`AppendError::OutcomeUnknown`]).
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// An aggregate that the request writes or relies on has moved: load again, decide again.
    #[error("an aggregate has moved since it was loaded")]
    Conflict,
    /// The same command was answered before.
    #[error("the command was answered before")]
    ReceiptExists,
    /// Too many appends wait already.
    #[error("the event log is overloaded")]
    Overloaded,
    /// The database did not answer in time. The events may be committed or may yet be.
    #[error("the event log did not answer in time")]
    OutcomeUnknown,
    /// The database cannot be reached; the events are not committed.
    #[error("the event log cannot be reached")]
    Unavailable,
    /// A single append would be larger than any may be.
    #[error("this would append too much at once")]
    TooLarge,
    /// A change of tables that had to change something found nothing; its number, from 0.
    #[error("change {0} of tables does not apply")]
    TableRefused(usize),
    /// The database refused the events, or a change of tables.
    #[error("the event log refused the events")]
    Refused(#[source] sqlx::Error),
}

/// An event could not be put into its stored form.
#[derive(Debug, thiserror::Error)]
pub enum UnstorableEvent {
    /// The event or its metadata cannot be written as JSON.
    #[error("an event could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The metadata's time.
    #[error("an event's time could not be written")]
    Time(#[from] time::error::Format),
}

/// Puts events into their stored form, each with an id of its own.
///
/// # Errors
/// An event that JSON cannot hold, which no event of this domain is.
pub fn serialize_events<E: DomainEvent>(events: &[E], metadata: &Metadata) -> Result<Vec<NewEvent>, UnstorableEvent> {
    let metadata = serde_json::to_string(&metadata.to_map()?)?;
    events
        .iter()
        .map(|event| {
            Ok(NewEvent {
                event_id: Uuid::now_v7(),
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: serde_json::to_string(event)?,
                metadata: metadata.clone(),
            })
        })
        .collect()
}
