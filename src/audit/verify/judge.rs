//! Who was allowed to cause the events of a file: law 9, by the same replay as over the whole log.

use std::collections::HashMap;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use uuid::Uuid;
use workroom_domain::{
    event::{DomainEventKind, UndecodableEvent},
    metadata::Metadata,
    upcast,
};
use workroom_projections::log::Recorded;

use crate::audit::{
    access::{Replay, Violation},
    export::{EventLine, Tie},
};

/// Judges the events of complete feeds; others it takes in only.
pub(super) struct Judge {
    replay: Replay,
    upcasters: Vec<Box<dyn EventUpcaster>>,
    /// Not where what happened before is not in the file.
    pub judges: bool,
    /// Events of complete feeds that could not be judged.
    pub unjudged: u64,
}

impl Judge {
    pub(super) fn new(judges: bool) -> Self {
        Self { replay: Replay::default(), upcasters: upcast::upcasters(), judges, unjudged: 0 }
    }

    /// How many projects were seen.
    pub(super) fn projects(&self) -> usize {
        self.replay.projects()
    }

    /// Takes an event in; the answer is what is wrong with it.
    pub(super) fn take(&mut self, line: &EventLine<'_>, in_full: bool) -> Result<Option<Violation>, String> {
        if !self.judges {
            return Ok(None);
        }
        let Some(recorded) = self.recorded(line)? else {
            self.unjudged += u64::from(in_full);
            return Ok(None);
        };
        if matches!(line.tie, Tie::Commitment(_)) {
            self.replay.tell_author(recorded.position, recorded.metadata.actor);
        }
        let reason = if in_full { self.replay.check(&recorded).err() } else { None };
        self.replay.fold(&recorded);
        Ok(reason.map(|reason| Violation::of(&recorded, reason)))
    }

    /// The event in today's form; none if this version does not know its kind. Where its payload was taken out, what is left of it has
    /// all that rights follow from.
    fn recorded(&self, line: &EventLine<'_>) -> Result<Option<Recorded>, String> {
        let event = match self.decode(line) {
            Ok(event) => event,
            Err(UndecodableEvent::AggregateType(_)) => return Ok(None),
            Err(error @ UndecodableEvent::Payload { .. }) => return Err(error.to_string()),
        };
        let metadata: HashMap<String, String> =
            serde_json::from_str(&line.metadata).map_err(|_| "its metadata cannot be read")?;
        Ok(Some(Recorded {
            position: line.position,
            event_id: line.event_id,
            feed_id: line.feed_id,
            feed_seq: line.feed_seq,
            aggregate_id: Uuid::try_parse(&line.aggregate_id).map_err(|_| "its aggregate's id is no UUID")?,
            sequence: line.sequence,
            event,
            metadata: Metadata::from_map(&metadata).map_err(|error| error.to_string())?,
            recorded_at: line.recorded_at,
        }))
    }

    fn decode(&self, line: &EventLine<'_>) -> Result<DomainEventKind, UndecodableEvent> {
        let (kind, version) = (line.event_type.as_ref(), line.event_version.as_ref());
        if !self.upcasters.iter().any(|upcaster| upcaster.can_upcast(kind, version)) {
            return DomainEventKind::decode(&line.aggregate_type, &line.data);
        }
        let aggregate_type = line.aggregate_type.to_string();
        let payload = serde_json::from_str(&line.data)
            .map_err(|source| UndecodableEvent::Payload { aggregate_type: aggregate_type.clone(), source })?;
        let stored = SerializedEvent::new(
            line.aggregate_id.to_string(),
            usize::try_from(line.sequence).unwrap_or_default(),
            aggregate_type,
            kind.to_owned(),
            version.to_owned(),
            payload,
            serde_json::Value::Null,
        );
        let lifted = upcast::upcast(&self.upcasters, stored).payload.to_string();
        DomainEventKind::decode(&line.aggregate_type, &lifted)
    }
}
