//! Where aggregates and feeds stand, as this process learned from its own appends.
//!
//! What is known holds for one head of the log. While the log still ends there nothing can have moved, and the append need not look
//! it up; the append itself finds out, under the log's lock.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// An aggregate's type and id.
pub(super) type Key = (&'static str, Uuid);

/// Aggregates and feeds that are remembered, each; beyond that all is dropped and learned anew.
const CAPACITY: usize = 50_000;

#[derive(Default)]
struct Known {
    generation: u64,
    head: i64,
    sequences: HashMap<Key, i64>,
    feeds: HashMap<Uuid, i64>,
}

/// What the sessions of one process know together.
#[derive(Default)]
pub(super) struct Heads {
    known: Mutex<Known>,
}

/// What is known at one head; nobody else looks or notes anything while this is held.
pub(super) struct View<'a> {
    known: MutexGuard<'a, Known>,
}

impl View<'_> {
    pub(super) fn head(&self) -> i64 {
        self.known.head
    }

    pub(super) fn sequence(&self, key: Key) -> Option<i64> {
        self.known.sequences.get(&key).copied()
    }

    pub(super) fn feed(&self, feed_id: Uuid) -> Option<i64> {
        self.known.feeds.get(&feed_id).copied()
    }
}

impl Heads {
    /// What is known of the log in this incarnation.
    pub(super) fn view(&self, generation: u64) -> View<'_> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.generation != generation {
            *known = Known { generation, ..Known::default() };
        }
        View { known }
    }

    /// Drops what is known.
    pub(super) fn clear(&self, generation: u64) {
        let mut known = self.view(generation).known;
        known.sequences.clear();
        known.feeds.clear();
    }

    /// Notes what an append found and left behind: it moved the log from `before` to `after`.
    pub(super) fn committed(
        &self,
        generation: u64,
        before: i64,
        after: i64,
        sequences: impl Iterator<Item = (Key, i64)>,
        feeds: impl Iterator<Item = (Uuid, i64)>,
    ) {
        let mut known = self.view(generation).known;
        if after <= known.head {
            return;
        }
        let is_full = known.sequences.len() > CAPACITY || known.feeds.len() > CAPACITY;
        if before != known.head || is_full {
            // Others have written in between: whatever they moved is not known any more.
            known.sequences.clear();
            known.feeds.clear();
        }
        known.head = after;
        known.sequences.extend(sequences);
        known.feeds.extend(feeds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u128) -> Key {
        ("thing", Uuid::from_u128(id))
    }

    #[test]
    fn what_is_known_ends_where_others_write() {
        let heads = Heads::default();
        heads.committed(1, 0, 2, [(key(1), 2)].into_iter(), [(Uuid::nil(), 2)].into_iter());
        heads.committed(1, 2, 3, [(key(2), 1)].into_iter(), std::iter::empty());
        assert_eq!(heads.view(1).sequence(key(1)), Some(2));
        assert_eq!(heads.view(1).feed(Uuid::nil()), Some(2));
        heads.committed(1, 5, 6, [(key(3), 1)].into_iter(), std::iter::empty());
        let view = heads.view(1);
        assert_eq!((view.head(), view.sequence(key(1)), view.sequence(key(3))), (6, None, Some(1)));
    }

    #[test]
    fn what_is_dropped_is_not_known_at_the_same_head() {
        let heads = Heads::default();
        heads.committed(1, 0, 2, [(key(1), 2)].into_iter(), [(Uuid::nil(), 2)].into_iter());
        heads.clear(1);
        let view = heads.view(1);
        assert_eq!((view.sequence(key(1)), view.feed(Uuid::nil())), (None, None));
    }

    #[test]
    fn an_append_that_is_told_late_says_nothing_new() {
        let heads = Heads::default();
        heads.committed(1, 1, 2, [(key(1), 2)].into_iter(), std::iter::empty());
        heads.committed(1, 0, 1, [(key(1), 1)].into_iter(), std::iter::empty());
        let view = heads.view(1);
        assert_eq!((view.head(), view.sequence(key(1))), (2, Some(2)));
    }

    #[test]
    fn another_incarnation_begins_with_nothing() {
        let heads = Heads::default();
        heads.committed(1, 0, 9, [(key(1), 9)].into_iter(), std::iter::empty());
        let view = heads.view(2);
        assert_eq!((view.head(), view.sequence(key(1))), (0, None));
    }
}
