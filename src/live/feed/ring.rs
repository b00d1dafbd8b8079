//! The recent frames of a feed: contiguous, bounded in number, bytes and age.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use workroom_projections::history::{self, PublishedEvent};

use crate::live::{
    feed::{FeedId, closes::Closes, frames::Frame, rights::Change},
    limits::HubConfig,
};

/// An event, ready to be sent. Cheap to clone: the frame's bytes are shared.
#[derive(Clone, Debug)]
pub(in crate::live) struct Entry {
    /// Its place in the feed.
    pub(in crate::live) seq: i64,
    /// Its place in the whole log.
    pub(in crate::live) position: i64,
    pub(in crate::live) frame: Utf8Bytes,
    /// What it changes of who may follow the feed.
    pub(in crate::live) change: Option<Change>,
    /// The workspace or file that ends with it.
    pub(in crate::live) closes: Option<Closes>,
    /// The place in the log of the event whose payload it says was taken out.
    pub(in crate::live) redacts: Option<i64>,
}

impl Entry {
    /// From an event of a feed.
    pub(in crate::live) fn of(feed: FeedId, event: &PublishedEvent) -> Self {
        Self {
            seq: event.seq,
            position: event.position,
            frame: Frame::event(feed, event).text(),
            change: Change::of(event),
            closes: Closes::of(event),
            redacts: history::redacts(&event.event_type, event.data.get()),
        }
    }
}

/// What became of an offered entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Offered {
    /// Its `seq` was the next, and it was appended.
    Taken,
    /// Its `seq` is not greater than that of the last entry.
    Old,
    /// Others come before it; it is kept for when they are there.
    Early,
}

/// More lies behind a place than the ring still has.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::live) struct Lost;

/// The recent frames of a feed.
pub(in crate::live) struct Ring {
    entries: VecDeque<(Instant, Entry)>,
    bytes: usize,
    last: i64,
    generation: u32,
    /// How often something was redacted.
    redactions: u32,
    /// Entries that came before their predecessors, and their bytes.
    early: BTreeMap<i64, Entry>,
    early_bytes: usize,
    /// The furthest place that an entry came for.
    furthest: i64,
    /// Since when something before that is missing.
    gap_since: Option<Instant>,
}

impl Ring {
    /// An empty ring behind `last`.
    pub(in crate::live) fn new(last: i64) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            last,
            generation: 0,
            redactions: 0,
            early: BTreeMap::new(),
            early_bytes: 0,
            furthest: last,
            gap_since: None,
        }
    }

    /// The place of the last entry.
    pub(in crate::live) fn last(&self) -> i64 {
        self.last
    }

    /// Changes when the feed begins anew, in another history.
    pub(in crate::live) fn generation(&self) -> u32 {
        self.generation
    }

    /// Changes when something of the feed is redacted: pages that were read before may hold it.
    pub(in crate::live) fn redactions(&self) -> u32 {
        self.redactions
    }

    fn first(&self) -> i64 {
        self.entries.front().map_or(self.last + 1, |(_, entry)| entry.seq)
    }

    /// Since when it waits for something that belongs before what came early.
    pub(in crate::live) fn gap_since(&self) -> Option<Instant> {
        self.gap_since
    }

    /// Appends an entry if it is the next, and what came early behind it.
    pub(in crate::live) fn offer(&mut self, entry: Entry, now: Instant, config: &HubConfig) -> Offered {
        if entry.seq <= self.last {
            return Offered::Old;
        }
        if entry.seq > self.last + 1 {
            self.keep_early(entry, now, config);
            return Offered::Early;
        }
        self.append(entry, now, config);
        self.append_early(now, config);
        Offered::Taken
    }

    fn append(&mut self, entry: Entry, now: Instant, config: &HubConfig) {
        if let Some(position) = entry.redacts {
            self.forget(position);
        }
        self.last = entry.seq;
        self.bytes += entry.frame.len();
        self.entries.push_back((now, entry));
        while self.entries.len() > config.ring_frames || (self.bytes > config.ring_bytes && self.entries.len() > 1) {
            self.drop_first();
        }
    }

    /// Copies of events take different ways, and one may overtake another by a moment. What does not fit is read from the log.
    fn keep_early(&mut self, entry: Entry, now: Instant, config: &HubConfig) {
        self.furthest = self.furthest.max(entry.seq);
        self.gap_since.get_or_insert(now);
        let fits = self.early.len() < config.ring_frames && self.early_bytes + entry.frame.len() <= config.ring_bytes;
        if fits && !self.early.contains_key(&entry.seq) {
            self.early_bytes += entry.frame.len();
            self.early.insert(entry.seq, entry);
        }
    }

    fn append_early(&mut self, now: Instant, config: &HubConfig) {
        while let Some(first) = self.early.first_entry()
            && *first.key() <= self.last + 1
        {
            let entry = first.remove();
            self.early_bytes -= entry.frame.len();
            if entry.seq > self.last {
                self.append(entry, now, config);
            }
        }
        // A gap behind what has just come is a new one.
        self.gap_since = (self.last < self.furthest).then_some(now);
    }

    /// Lets go of what was redacted, and of all before it: whoever has not had it reads what the log has left of it.
    fn forget(&mut self, position: i64) {
        self.redactions = self.redactions.wrapping_add(1);
        while self.entries.front().is_some_and(|(_, entry)| entry.position <= position) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((_, entry)) = self.entries.pop_front() {
            self.bytes -= entry.frame.len();
        }
    }

    /// Lets go of what is older than that.
    pub(in crate::live) fn expire(&mut self, now: Instant, age: Duration) {
        while self.entries.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > age) {
            self.drop_first();
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }

    /// Begins anew behind `last`.
    pub(in crate::live) fn restart(&mut self, last: i64) {
        *self = Self { generation: self.generation.wrapping_add(1), ..Self::new(last) };
    }

    /// Whether the ring no longer has what follows `after`.
    pub(in crate::live) fn has_lost(&self, after: i64) -> bool {
        after + 1 < self.first()
    }

    /// The entries behind `after`; none, where that is the last entry, or ahead of it.
    ///
    /// # Errors
    /// The first of them are gone.
    pub(in crate::live) fn behind(&self, after: i64) -> Result<impl Iterator<Item = &Entry>, Lost> {
        if self.has_lost(after) {
            return Err(Lost);
        }
        let skip = usize::try_from(after + 1 - self.first()).unwrap_or(usize::MAX);
        Ok(self.entries.iter().skip(skip).map(|(_, entry)| entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: i64) -> Entry {
        Entry { seq, position: seq * 10, frame: "0123456789".into(), change: None, closes: None, redacts: None }
    }

    fn config() -> HubConfig {
        HubConfig { ring_frames: 3, ..HubConfig::default() }
    }

    fn behind(ring: &Ring, after: i64) -> Result<Vec<i64>, Lost> {
        Ok(ring.behind(after)?.map(|entry| entry.seq).collect())
    }

    #[test]
    fn it_takes_the_next_and_nothing_else() {
        let mut ring = Ring::new(4);
        let now = Instant::now();
        assert_eq!(ring.offer(entry(4), now, &config()), Offered::Old);
        assert_eq!(ring.offer(entry(6), now, &config()), Offered::Early);
        assert_eq!(ring.last(), 4);
        assert_eq!(ring.offer(entry(5), now, &config()), Offered::Taken);
        assert_eq!(ring.last(), 6, "what came early was kept");
    }

    #[test]
    fn what_came_early_follows_its_predecessors() {
        let mut ring = Ring::new(0);
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        for seq in [3, 5, 3] {
            assert_eq!(ring.offer(entry(seq), start, &config()), Offered::Early);
        }
        assert_eq!((ring.last(), ring.gap_since()), (0, Some(start)));
        ring.offer(entry(1), later, &config());
        assert_eq!((ring.last(), ring.gap_since()), (1, Some(later)), "another gap");
        ring.offer(entry(2), later, &config());
        assert_eq!((ring.last(), ring.gap_since()), (3, Some(later)));
        ring.offer(entry(4), later, &config());
        assert_eq!((ring.last(), ring.gap_since(), ring.early_bytes), (5, None, 0));
    }

    #[test]
    fn what_comes_early_is_bounded() {
        let mut ring = Ring::new(0);
        for seq in 3..100 {
            ring.offer(entry(seq), Instant::now(), &config());
        }
        assert_eq!(ring.early.len(), 3);
        ring.offer(entry(1), Instant::now(), &config());
        ring.offer(entry(2), Instant::now(), &config());
        assert_eq!(ring.last(), 5);
        assert!(ring.gap_since().is_some(), "the rest is read from the log");
    }

    #[test]
    fn a_cursor_finds_what_follows_it_or_learns_that_it_is_lost() {
        let mut ring = Ring::new(0);
        assert_eq!(behind(&ring, 0), Ok(vec![]));
        for seq in 1..=5 {
            ring.offer(entry(seq), Instant::now(), &config());
        }
        assert_eq!(behind(&ring, 1), Err(Lost));
        assert_eq!(behind(&ring, 2), Ok(vec![3, 4, 5]));
        assert_eq!(behind(&ring, 4), Ok(vec![5]));
        assert_eq!(behind(&ring, 5), Ok(vec![]));
        assert_eq!(behind(&ring, 9), Ok(vec![]), "ahead: the database was read after the ring");
        assert!(ring.has_lost(1) && !ring.has_lost(2) && !ring.has_lost(9));
    }

    #[test]
    fn bytes_and_age_bound_it_too() {
        let mut ring = Ring::new(0);
        let start = Instant::now();
        let small = HubConfig { ring_bytes: 25, ..HubConfig::default() };
        for seq in 1..=5 {
            ring.offer(entry(seq), start + Duration::from_secs(u64::try_from(seq).unwrap()), &small);
        }
        assert_eq!(behind(&ring, 2), Err(Lost));
        assert_eq!(behind(&ring, 3), Ok(vec![4, 5]));
        ring.expire(start + Duration::from_secs(10), Duration::from_secs(5));
        assert_eq!(behind(&ring, 3), Err(Lost));
        ring.expire(start + Duration::from_secs(11), Duration::from_secs(5));
        assert_eq!(behind(&ring, 5), Ok(vec![]));
        assert_eq!(ring.bytes, 0);
    }

    #[test]
    fn what_was_redacted_is_read_from_the_log() {
        let mut ring = Ring::new(0);
        let now = Instant::now();
        let large = HubConfig { ring_frames: 10, ..HubConfig::default() };
        for seq in 1..=4 {
            ring.offer(entry(seq), now, &large);
        }
        let before = ring.redactions();
        ring.offer(Entry { redacts: Some(20), ..entry(5) }, now, &large);
        assert_ne!(ring.redactions(), before);
        assert_eq!(behind(&ring, 1), Err(Lost), "2 is what was redacted");
        assert_eq!(behind(&ring, 2), Ok(vec![3, 4, 5]));
        // The last event may be what is redacted; and what was said early is heeded in its place.
        ring.offer(Entry { redacts: Some(60), ..entry(7) }, now, &large);
        assert_eq!(behind(&ring, 2), Ok(vec![3, 4, 5]));
        ring.offer(entry(6), now, &large);
        assert_eq!((behind(&ring, 5), behind(&ring, 6)), (Err(Lost), Ok(vec![7])));
        assert_eq!(ring.bytes, 10);
    }

    #[test]
    fn another_history_begins_anew() {
        let mut ring = Ring::new(7);
        ring.restart(2);
        assert_eq!((ring.last(), ring.generation()), (2, 1));
    }
}
