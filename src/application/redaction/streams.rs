//! What is known of the streams of which something was redacted lately. From one redaction to the next only what is new in a stream is
//! read: a purge goes through a stream of any length portion by portion, and reads it once. No text is remembered.

use std::{any::Any, sync::Arc};

use moka::sync::Cache;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    redaction::{Origins, Redactable, marked},
};

use super::target::Target;
use crate::{
    application::{Error, Unit},
    event_store::{Stored, StoredForm, Versioned},
};

/// Bytes that all that is remembered may take together, roughly. What does not fit is read anew.
const CAPACITY: u64 = 16 * 1024 * 1024;
/// Bytes that a stream takes beside what its aggregate's state weighs, roughly.
const OVERHEAD: usize = 1024;

/// An aggregate's type and id, and the generation of the incarnation that it belongs to.
type Key = (&'static str, Uuid, u64);

#[derive(Clone)]
struct Entry {
    weight: u32,
    stream: Arc<dyn Any + Send + Sync>,
}

/// What is remembered of streams.
pub(in crate::application) struct Streams(Cache<Key, Entry>);

/// What is known of the stream of an aggregate.
#[derive(Clone)]
pub(super) struct Stream<A> {
    /// The last event that was read.
    sequence: i64,
    origins: Origins<A>,
    last_redaction: Option<Redaction>,
}

#[derive(Clone, Copy)]
struct Redaction {
    /// Its own place in the stream.
    sequence: i64,
    /// The place of the redacted event in the whole log.
    of: i64,
}

impl Default for Streams {
    fn default() -> Self {
        let weigh = |_: &Key, entry: &Entry| entry.weight;
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weigh).build())
    }
}

impl Streams {
    /// What the stream says, at least up to where the aggregate is. Further than that it goes where the state is old: nothing can be
    /// appended to that.
    pub(super) async fn read<A: Stored + Redactable>(
        &self,
        unit: &Unit<'_>,
        current: &Versioned<A>,
    ) -> Result<Arc<Stream<A>>, Error> {
        let key = (<A as Decide>::TYPE, current.id, unit.generation());
        let known = self.0.get(&key).and_then(|entry| entry.stream.downcast::<Stream<A>>().ok());
        let mut stream = match known {
            Some(known) if known.sequence >= current.sequence => return Ok(known),
            Some(known) => Arc::unwrap_or_clone(known),
            None => Stream { sequence: 0, origins: Origins::default(), last_redaction: None },
        };
        while stream.sequence < current.sequence {
            for event in unit.stored_events::<A>(current.id, stream.sequence, current.sequence).await? {
                stream.take(unit, current.id, &event)?;
            }
        }
        let weight = u32::try_from(stream.origins.weight() + OVERHEAD).unwrap_or(u32::MAX);
        let stream = Arc::new(stream);
        self.0.insert(key, Entry { weight, stream: Arc::clone(&stream) as _ });
        Ok(stream)
    }
}

impl<A: Stored + Redactable> Stream<A> {
    fn take(&mut self, unit: &Unit<'_>, id: Uuid, event: &StoredForm) -> Result<(), Error> {
        let StoredForm { sequence, event_type, event_version, payload } = event;
        let marks = marked(event_type, payload, *sequence).map_err(Error::failure)?;
        let payload = marks.as_deref().unwrap_or(payload);
        let event = unit.decode::<A>(id, *sequence, (event_type, event_version), payload)?;
        if let Some(redacted) = A::redaction(&event) {
            self.last_redaction = Some(Redaction { sequence: *sequence, of: redacted.position });
        }
        self.origins.fold(&event);
        self.sequence = *sequence;
        Ok(())
    }

    /// For each of these events, by their sequences, the fields that the aggregate has from it.
    pub(super) fn affected(&self, sequences: &[i64]) -> Vec<Vec<String>> {
        self.origins.affected(sequences)
    }

    /// Whether the aggregate has any of these fields from another event than these.
    pub(super) fn has_from_others(&self, fields: &[&str], sequences: &[i64]) -> bool {
        fields.iter().filter_map(|field| self.origins.of(field)).any(|sequence| !sequences.contains(&sequence))
    }

    /// Up to where replies to commands are gone, or show nothing of the event, nor of any behind it. A redaction deletes those from its
    /// event on: behind one of this event, or of one before it, only later ones are left.
    pub(super) fn replies_gone_to(&self, first: &Target) -> i64 {
        let last = self.last_redaction.filter(|last| last.of <= first.position);
        last.map_or(0, |last| last.sequence).max(first.sequence - 1)
    }
}

#[cfg(test)]
mod tests {
    use workroom_domain::task::Task;

    use super::*;

    #[test]
    fn replies_are_gone_up_to_a_redaction_of_something_earlier() {
        let first = Target {
            position: 50,
            event_id: Uuid::nil(),
            feed_id: Uuid::nil(),
            feed_seq: 4,
            aggregate_type: "task".to_owned(),
            aggregate_id: Uuid::nil(),
            sequence: 3,
            event_type: "TaskUpdated".to_owned(),
            event_version: "1".to_owned(),
            remains: None,
        };
        let gone_to = |redaction: Option<(i64, i64)>| {
            let last_redaction = redaction.map(|(sequence, of)| Redaction { sequence, of });
            Stream::<Task> { sequence: 9, origins: Origins::default(), last_redaction }.replies_gone_to(&first)
        };
        assert_eq!(gone_to(None), 2, "none before the event itself");
        assert_eq!(gone_to(Some((8, 40))), 8);
        assert_eq!(gone_to(Some((8, 60))), 2, "those between the two events are left");
    }
}
