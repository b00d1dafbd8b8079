//! Events that this process has just committed, for those in it who follow the log: what was written a moment ago need not be read
//! back. Whatever is not here, above all what others wrote, is read from the log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use uuid::Uuid;

/// Bytes of payloads and metadata that are kept.
const CAPACITY: usize = 16 * 1024 * 1024;
/// Bytes that an event takes beside its payload and metadata, roughly.
const OVERHEAD: usize = 512;

/// An event as the log holds it, in its stored form.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its place in the whole log.
    pub position: i64,
    /// Its identity.
    pub event_id: Uuid,
    /// The feed it belongs to.
    pub feed_id: Uuid,
    /// Its place in the feed.
    pub feed_seq: i64,
    /// What kind of thing it happened to.
    pub aggregate_type: &'static str,
    /// What it happened to.
    pub aggregate_id: Uuid,
    /// Its place in the aggregate's stream.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// Version of the stored form.
    pub event_version: String,
    /// The event's content, JSON.
    pub payload: String,
    /// Who, when, why; JSON.
    pub metadata: String,
    /// When the log recorded it.
    pub recorded_at: OffsetDateTime,
}

impl StoredEvent {
    fn bytes(&self) -> usize {
        self.payload.len() + self.metadata.len() + OVERHEAD
    }
}

#[derive(Default)]
struct Ring {
    generation: u64,
    server: String,
    events: VecDeque<Arc<StoredEvent>>,
    bytes: usize,
}

/// The latest events of this process, without a hole; bounded in bytes. Cheap to clone.
#[derive(Clone, Default)]
pub struct RecentEvents {
    ring: Arc<Mutex<Ring>>,
}

impl RecentEvents {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events that were committed in this generation of the log, in order. Where others have written in between, what was
    /// here before is dropped; where the log is another one by now, they are not of it.
    pub fn push(&self, generation: u64, events: impl IntoIterator<Item = StoredEvent>) {
        let mut ring = self.ring();
        if ring.generation != generation {
            return;
        }
        for event in events {
            match ring.events.back() {
                // Told late: what is here is younger.
                Some(last) if event.position <= last.position => continue,
                Some(last) if event.position > last.position + 1 => {
                    let server = std::mem::take(&mut ring.server);
                    *ring = Ring { generation, server, ..Ring::default() };
                }
                _ => {}
            }
            ring.bytes += event.bytes();
            ring.events.push_back(Arc::new(event));
        }
        while ring.bytes > CAPACITY
            && let Some(oldest) = ring.events.pop_front()
        {
            ring.bytes -= oldest.bytes();
        }
    }

    /// The events behind `after`, without a hole, at most so many and so large; none where the log has to be asked. `server` is the
    /// one that the asking follower's session is with: it may know of another one before this process does.
    pub fn after(&self, server: &str, after: i64, limit: usize, bytes: usize) -> Vec<Arc<StoredEvent>> {
        let ring = self.ring();
        if ring.server != server {
            return Vec::new();
        }
        let Some(first) = ring.events.front().map(|event| event.position) else { return Vec::new() };
        let Ok(skip) = usize::try_from(after + 1 - first) else { return Vec::new() };
        let mut taken = 0;
        let fits = |event: &&Arc<StoredEvent>| {
            let fits = taken < bytes;
            taken += event.bytes();
            fits
        };
        ring.events.iter().skip(skip).take(limit).take_while(fits).cloned().collect()
    }

    /// Drops everything, and takes only what is committed in this generation from now on: the log is another one.
    pub fn begin(&self, generation: u64, server: &str) {
        *self.ring() = Ring { generation, server: server.to_owned(), ..Ring::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(position: i64, size: usize) -> StoredEvent {
        StoredEvent {
            position,
            event_id: Uuid::nil(),
            feed_id: Uuid::nil(),
            feed_seq: position,
            aggregate_type: "thing",
            aggregate_id: Uuid::nil(),
            sequence: position,
            event_type: String::new(),
            event_version: String::new(),
            payload: "x".repeat(size),
            metadata: String::new(),
            recorded_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn positions(recent: &RecentEvents, after: i64, limit: usize) -> Vec<i64> {
        recent.after("", after, limit, usize::MAX).iter().map(|event| event.position).collect()
    }

    #[test]
    fn what_follows_without_a_hole_is_handed_out() {
        let recent = RecentEvents::default();
        assert!(positions(&recent, 0, 10).is_empty());
        recent.push(0, [event(5, 1), event(6, 1), event(7, 1)]);
        assert!(positions(&recent, 3, 10).is_empty(), "4 is not here");
        assert_eq!(positions(&recent, 4, 10), [5, 6, 7]);
        assert_eq!(positions(&recent, 5, 1), [6]);
        assert!(positions(&recent, 7, 10).is_empty());
        assert!(positions(&recent, 9, 10).is_empty());
        recent.push(0, [event(6, 1)]);
        assert_eq!(positions(&recent, 4, 10), [5, 6, 7]);
        recent.push(0, [event(9, 1)]);
        assert!(positions(&recent, 6, 10).is_empty(), "8 is another's");
        assert_eq!(positions(&recent, 8, 10), [9]);
    }

    #[test]
    fn what_was_committed_to_another_log_is_not_handed_out() {
        let recent = RecentEvents::default();
        recent.begin(1, "");
        recent.push(1, [event(1, 1)]);
        recent.begin(2, "");
        recent.push(1, [event(1, 1), event(2, 1)]);
        assert!(positions(&recent, 0, 10).is_empty(), "told late, by the log before");
        recent.push(2, [event(1, 1)]);
        assert_eq!(positions(&recent, 0, 10), [1]);
        assert!(recent.after("another", 0, 10, usize::MAX).is_empty(), "a session with another server");
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let recent = RecentEvents::default();
        recent.push(0, (1..=40).map(|position| event(position, 1024 * 1024)));
        let kept = positions(&recent, 39, 10);
        assert_eq!(kept, [40]);
        assert!(positions(&recent, 20, 100).is_empty());
        let portion = recent.after("", 30, 100, 2 * 1024 * 1024);
        assert_eq!(portion.len(), 2);
    }
}
