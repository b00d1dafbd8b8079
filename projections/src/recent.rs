//! Events that this process has just committed, for those in it who follow the log: what was written a moment ago need not be read
//! back. Whatever is not here, above all what others wrote, is read from the log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::history;

/// Bytes of payloads and metadata that are kept.
const CAPACITY: usize = 16 * 1024 * 1024;
/// Bytes that wait for each tap.
const TAP_CAPACITY: usize = 8 * 1024 * 1024;
/// Bytes that an event takes beside its payload and metadata, roughly.
const OVERHEAD: usize = 512;

/// An event as the log holds it, in its stored form.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its place in the whole log.
    pub position: i64,
    /// Id of the event, unique in the whole log.
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
    /// Name of the event, such as `ProjectCreated`.
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

impl Ring {
    fn drop_first(&mut self) {
        if let Some(oldest) = self.events.pop_front() {
            self.bytes -= oldest.bytes();
        }
    }

    /// Drops an event whose payload was taken out, and all before it: the log has what is left of it.
    fn forget(&mut self, position: i64) {
        while self.events.front().is_some_and(|event| event.position <= position) {
            self.drop_first();
        }
    }
}

/// The latest events of this process, without a hole; bounded in bytes. Cheap to clone.
#[derive(Clone, Default)]
pub struct RecentEvents {
    ring: Arc<Mutex<Ring>>,
    taps: Arc<Mutex<Vec<Weak<Queue>>>>,
}

/// What waits for a tap.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    events: Vec<Arc<StoredEvent>>,
    bytes: usize,
    has_lost: bool,
    generation: u64,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, generation: u64, events: &[Arc<StoredEvent>]) {
        let mut waiting = self.waiting();
        waiting.generation = generation;
        for event in events {
            if waiting.bytes >= TAP_CAPACITY {
                waiting.has_lost = true;
                break;
            }
            waiting.bytes += event.bytes();
            waiting.events.push(Arc::clone(event));
        }
        drop(waiting);
        self.bell.notify_one();
    }
}

/// All that this process commits, for one that passes it on: also where others have written in between. Bounded in bytes:
/// whoever falls behind loses events, and is told.
pub struct Tap {
    queue: Arc<Queue>,
}

/// What came through a tap.
pub struct Tapped {
    /// Events, each writer's in order.
    pub events: Vec<Arc<StoredEvent>>,
    /// Whether events were lost before these.
    pub has_lost: bool,
    /// The generation of the log that they were committed in.
    pub generation: u64,
}

impl Tap {
    /// Waits for events that were committed since the last call.
    pub async fn next(&self) -> Tapped {
        loop {
            {
                let mut waiting = self.queue.waiting();
                if !waiting.events.is_empty() || waiting.has_lost {
                    let Waiting { events, has_lost, generation, .. } = std::mem::take(&mut *waiting);
                    return Tapped { events, has_lost, generation };
                }
            }
            self.queue.bell.notified().await;
        }
    }
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
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        self.queues().iter().for_each(|queue| queue.push(generation, &events));
        for event in events {
            if let Some(position) = history::redacts(&event.event_type, &event.payload) {
                ring.forget(position);
            }
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
            ring.events.push_back(event);
        }
        while ring.bytes > CAPACITY && !ring.events.is_empty() {
            ring.drop_first();
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
        let mut ring = self.ring();
        *ring = Ring { generation, server: server.to_owned(), ..Ring::default() };
        for queue in self.queues() {
            *queue.waiting() = Waiting::default();
        }
    }

    /// The generation of the log whose events are taken.
    pub fn generation(&self) -> u64 {
        self.ring().generation
    }

    /// A tap for all that this process commits from now on.
    pub fn tap(&self) -> Tap {
        let queue = Arc::new(Queue::default());
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&queue));
        Tap { queue }
    }

    fn queues(&self) -> Vec<Arc<Queue>> {
        let mut taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        taps.retain(|tap| tap.strong_count() > 0);
        taps.iter().filter_map(Weak::upgrade).collect()
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
    fn what_was_redacted_is_not_handed_out_any_more() {
        let recent = RecentEvents::default();
        recent.push(0, (1..=5).map(|position| event(position, 10)));
        let redaction = StoredEvent {
            event_type: history::PAYLOAD_REDACTED.to_owned(),
            payload: r#"{"type":"PayloadRedacted","position":3}"#.to_owned(),
            ..event(6, 0)
        };
        recent.push(0, [redaction]);
        assert!(positions(&recent, 2, 10).is_empty(), "3 is to be read from the log");
        assert_eq!(positions(&recent, 3, 10), [4, 5, 6]);
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

    #[tokio::test]
    async fn a_tap_passes_on_what_others_wrote_between() {
        let recent = RecentEvents::default();
        recent.push(0, [event(1, 1)]);
        let tap = recent.tap();
        recent.push(0, [event(5, 1), event(7, 1)]);
        recent.push(0, [event(6, 1)]);
        let tapped = tap.next().await;
        let positions: Vec<i64> = tapped.events.iter().map(|event| event.position).collect();
        assert_eq!((positions, tapped.has_lost, tapped.generation), (vec![5, 7, 6], false, 0));

        recent.push(0, [event(8, 1)]);
        recent.begin(1, "");
        recent.push(1, [event(8, 2)]);
        let tapped = tap.next().await;
        assert_eq!((tapped.events[0].payload.len(), tapped.events.len(), tapped.generation), (2, 1, 1));
    }

    #[tokio::test]
    async fn a_tap_is_bounded_in_bytes_and_tells() {
        let recent = RecentEvents::default();
        let tap = recent.tap();
        for position in 1..=40 {
            recent.push(0, [event(position, 1024 * 1024)]);
        }
        let tapped = tap.next().await;
        assert!(tapped.has_lost && tapped.events.len() == 8, "{}", tapped.events.len());
        recent.push(0, [event(41, 1)]);
        let tapped = tap.next().await;
        assert!(!tapped.has_lost && tapped.events.len() == 1);
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
