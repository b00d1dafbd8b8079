//! The recent frames of a feed: contiguous, bounded in number, bytes and age.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use workroom_projections::history::PublishedEvent;

use crate::live::{
    feed::{frames::Frame, revocation::Revocation},
    limits::HubConfig,
};

/// An event, ready to be sent. Cheap to clone: the frame's bytes are shared.
#[derive(Clone, Debug)]
pub(in crate::live) struct Entry {
    /// Its place in the feed.
    pub(in crate::live) seq: i64,
    /// Its frame.
    pub(in crate::live) frame: Utf8Bytes,
    /// Who may no longer watch because of it.
    pub(in crate::live) revocation: Option<Revocation>,
}

impl Entry {
    /// From an event.
    pub(in crate::live) fn of(event: &PublishedEvent) -> Self {
        Self { seq: event.seq, frame: Frame::event(event).text(), revocation: Revocation::of(event) }
    }
}

/// What became of an offered entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Offered {
    /// Appended.
    Taken,
    /// Known already.
    Old,
    /// Others come before it.
    Early,
}

/// What lies behind a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Pulled {
    /// Some entries.
    Some,
    /// Nothing yet.
    Nothing,
    /// More than the ring still has.
    Lost,
}

/// The recent frames of a feed.
pub(in crate::live) struct Ring {
    entries: VecDeque<(Instant, Entry)>,
    bytes: usize,
    last: i64,
    generation: u32,
}

impl Ring {
    /// An empty ring behind `last`.
    pub(in crate::live) fn new(last: i64) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, last, generation: 0 }
    }

    /// The place of the last entry.
    pub(in crate::live) fn last(&self) -> i64 {
        self.last
    }

    /// Changes when the feed begins anew, in another history.
    pub(in crate::live) fn generation(&self) -> u32 {
        self.generation
    }

    fn first(&self) -> i64 {
        self.entries.front().map_or(self.last + 1, |(_, entry)| entry.seq)
    }

    /// Appends an entry if it is the next.
    pub(in crate::live) fn offer(&mut self, entry: Entry, now: Instant, config: &HubConfig) -> Offered {
        if entry.seq <= self.last {
            return Offered::Old;
        }
        if entry.seq > self.last + 1 {
            return Offered::Early;
        }
        self.last = entry.seq;
        self.bytes += entry.frame.len();
        self.entries.push_back((now, entry));
        while self.entries.len() > config.ring_frames || (self.bytes > config.ring_bytes && self.entries.len() > 1) {
            self.drop_first();
        }
        Offered::Taken
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

    /// Takes up to `limit` entries behind `after`.
    pub(in crate::live) fn pull(&self, after: i64, limit: usize, into: &mut Vec<Entry>) -> Pulled {
        if after >= self.last {
            return Pulled::Nothing;
        }
        let first = self.first();
        if after + 1 < first {
            return Pulled::Lost;
        }
        let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        into.extend(self.entries.iter().skip(skip).take(limit).map(|(_, entry)| entry.clone()));
        Pulled::Some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: i64) -> Entry {
        Entry { seq, frame: "0123456789".into(), revocation: None }
    }

    fn config() -> HubConfig {
        HubConfig { ring_frames: 3, ..HubConfig::default() }
    }

    fn pull(ring: &Ring, after: i64) -> (Pulled, Vec<i64>) {
        let mut taken = Vec::new();
        let pulled = ring.pull(after, 2, &mut taken);
        (pulled, taken.iter().map(|entry| entry.seq).collect())
    }

    #[test]
    fn it_takes_the_next_and_nothing_else() {
        let mut ring = Ring::new(4);
        let now = Instant::now();
        assert_eq!(ring.offer(entry(4), now, &config()), Offered::Old);
        assert_eq!(ring.offer(entry(6), now, &config()), Offered::Early);
        assert_eq!(ring.offer(entry(5), now, &config()), Offered::Taken);
        assert_eq!(ring.last(), 5);
    }

    #[test]
    fn a_cursor_finds_what_follows_it_or_learns_that_it_is_lost() {
        let mut ring = Ring::new(0);
        assert_eq!(pull(&ring, 0).0, Pulled::Nothing);
        for seq in 1..=5 {
            ring.offer(entry(seq), Instant::now(), &config());
        }
        assert_eq!(pull(&ring, 1), (Pulled::Lost, vec![]));
        assert_eq!(pull(&ring, 2), (Pulled::Some, vec![3, 4]));
        assert_eq!(pull(&ring, 4), (Pulled::Some, vec![5]));
        assert_eq!(pull(&ring, 5), (Pulled::Nothing, vec![]));
        assert_eq!(pull(&ring, 9), (Pulled::Nothing, vec![]), "ahead: the database was read after the ring");
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
        assert_eq!(pull(&ring, 2).0, Pulled::Lost);
        assert_eq!(pull(&ring, 3), (Pulled::Some, vec![4, 5]));
        ring.expire(start + Duration::from_secs(10), Duration::from_secs(5));
        assert_eq!(pull(&ring, 3), (Pulled::Lost, vec![]));
        ring.expire(start + Duration::from_secs(11), Duration::from_secs(5));
        assert_eq!(pull(&ring, 5).0, Pulled::Nothing);
        assert_eq!(ring.bytes, 0);
    }

    #[test]
    fn another_history_begins_anew() {
        let mut ring = Ring::new(7);
        ring.restart(2);
        assert_eq!((ring.last(), ring.generation()), (2, 1));
    }
}
