//! Events in, leaves and nodes out. Pure: no database, no clock, no randomness.
//!
//! A hash of level n covers 256^n leaves. It is made once, when the last of its 256 parts is there. What of them was made before
//! the batch stands in the database: [`Hashed::needed`] says which, and [`Hashed::nodes`] takes them.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_projections::recent::StoredEvent;
use workroom_proofs::{
    entry::{Entry, Salt, commitment},
    hash::Hash,
};

use super::{Tree, from_stored};

/// Parts of a hash.
pub(super) const WIDTH: u64 = 256;
const PARTS: usize = 256;
/// Levels of a tree that a hash of the database covers.
pub(super) const TILE_LEVELS: u32 = 8;

/// An event, as the log has it: its bytes are what is hashed.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Event {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) feed_id: Uuid,
    pub(super) feed_seq: i64,
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: String,
    pub(super) payload: String,
    pub(super) metadata: String,
    pub(super) recorded_at: OffsetDateTime,
}

impl From<&StoredEvent> for Event {
    fn from(stored: &StoredEvent) -> Self {
        Self {
            position: stored.position,
            event_id: stored.event_id,
            feed_id: stored.feed_id,
            feed_seq: stored.feed_seq,
            aggregate_type: stored.aggregate_type.to_owned(),
            aggregate_id: stored.aggregate_id.to_string(),
            sequence: stored.sequence,
            event_type: stored.event_type.clone(),
            event_version: stored.event_version.clone(),
            payload: stored.payload.clone(),
            metadata: stored.metadata.clone(),
            recorded_at: stored.recorded_at,
        }
    }
}

impl Event {
    pub(super) fn bytes(&self) -> usize {
        self.payload.len() + self.metadata.len()
    }
}

/// Why events cannot be taken into the tree.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the event log has a hole: position {found} follows {after}")]
    Hole { after: i64, found: i64 },
    #[error("the feed {feed_id} has a hole: place {found} follows {after}")]
    FeedHole { feed_id: Uuid, after: u64, found: i64 },
    #[error("the event at position {position} has no entry in the tree: {reason}")]
    Entry { position: i64, reason: String },
    #[error("the tree lacks hashes of level {level} of {tree}")]
    Missing { tree: Uuid, level: u32 },
}

/// Hashes of one level of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) tree: Uuid,
    pub(super) level: u32,
    pub(super) range: Range<u64>,
}

/// A hash above the leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) tree: Uuid,
    pub(super) level: u32,
    pub(super) index: u64,
    pub(super) hash: Hash,
}

/// Stored hashes, by tree and level.
pub(super) type Stored = HashMap<(Uuid, u32), Vec<Hash>>;

/// What a tree grows by.
struct Growth {
    from: u64,
    /// The position of its last event.
    last: i64,
    leaves: Vec<Hash>,
}

/// What a feed grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FeedGrowth {
    pub(super) feed_id: Uuid,
    /// Its events before the batch, and with it.
    pub(super) from: u64,
    pub(super) to: u64,
    /// The position of its last event in the batch.
    pub(super) position: i64,
}

/// A batch of events, hashed.
pub(super) struct Hashed {
    /// The size of the tree before.
    pub(super) after: i64,
    /// The last event.
    pub(super) last: Uuid,
    pub(super) salts: Vec<Salt>,
    pub(super) leaves: Vec<Hash>,
    growth: BTreeMap<Uuid, Growth>,
}

impl Hashed {
    /// The size of the tree with the batch.
    pub(super) fn size(&self) -> i64 {
        self.after.saturating_add(i64::try_from(self.leaves.len()).unwrap_or(i64::MAX))
    }

    /// The feeds that grow.
    pub(super) fn feeds(&self) -> impl Iterator<Item = FeedGrowth> {
        let feeds = self.growth.iter().filter(|(tree, _)| **tree != Tree::Log.id());
        feeds.map(|(feed_id, Growth { from, last, leaves })| FeedGrowth {
            feed_id: *feed_id,
            from: *from,
            to: from + leaves.len() as u64,
            position: *last,
        })
    }
}

/// Hashes events that follow position `after`, each with a salt of its own; `None` for no events.
pub(super) fn hash(
    events: &[Event],
    after: i64,
    log_id: Uuid,
    epoch: Uuid,
    salts: Vec<Salt>,
) -> Result<Option<Hashed>, Unusable> {
    let Some(last) = events.last().map(|event| event.event_id) else { return Ok(None) };
    let mut leaves = Vec::with_capacity(events.len());
    let mut growth = BTreeMap::<Uuid, Growth>::new();
    let mut position = after;
    for (event, salt) in events.iter().zip(&salts) {
        if event.position != position + 1 {
            return Err(Unusable::Hole { after: position, found: event.position });
        }
        position = event.position;
        let leaf = leaf(event, log_id, epoch, commitment(salt, event.payload.as_bytes()))?;
        leaves.push(leaf);
        let index = from_stored(event.feed_seq - 1);
        let feed =
            growth.entry(event.feed_id).or_insert_with(|| Growth { from: index, last: position, leaves: Vec::new() });
        let size = feed.from + feed.leaves.len() as u64;
        if index != size {
            return Err(Unusable::FeedHole { feed_id: event.feed_id, after: size, found: event.feed_seq });
        }
        feed.leaves.push(leaf);
        feed.last = position;
    }
    // The feeds first: none of them is called nil.
    growth.insert(Tree::Log.id(), Growth { from: from_stored(after), last: position, leaves: leaves.clone() });
    Ok(Some(Hashed { after, last, salts, leaves, growth }))
}

/// The leaf of an event.
pub(super) fn leaf(event: &Event, log_id: Uuid, epoch: Uuid, commitment: Hash) -> Result<Hash, Unusable> {
    let unusable = |reason: String| Unusable::Entry { position: event.position, reason };
    entry(event, log_id, epoch, commitment).leaf().map_err(|error| unusable(error.to_string()))
}

/// What identifies an event, as it is hashed.
pub(super) fn entry(event: &Event, log_id: Uuid, epoch: Uuid, commitment: Hash) -> Entry<'_> {
    Entry {
        log_id,
        epoch,
        position: event.position,
        event_id: event.event_id,
        feed_id: event.feed_id,
        feed_seq: event.feed_seq,
        aggregate_type: &event.aggregate_type,
        aggregate_id: &event.aggregate_id,
        sequence: event.sequence,
        event_type: &event.event_type,
        event_version: &event.event_version,
        recorded_at: event.recorded_at,
        metadata: &event.metadata,
        commitment,
    }
}

impl Hashed {
    /// What the database has to tell before the nodes can be made: of each hash that the batch completes, the parts that stand.
    pub(super) fn needed(&self) -> Vec<Stretch> {
        let mut needed = Vec::new();
        for (tree, growth) in &self.growth {
            let (mut from, mut to) = (growth.from, growth.from + growth.leaves.len() as u64);
            let mut level = 0;
            while to / WIDTH > from / WIDTH {
                let first = from - from % WIDTH;
                if first < from {
                    needed.push(Stretch { tree: *tree, level, range: first..from });
                }
                (from, to, level) = (from / WIDTH, to / WIDTH, level + 1);
            }
        }
        needed
    }

    /// The hashes above the leaves that the batch completes.
    pub(super) fn nodes(&self, stored: &Stored) -> Result<Vec<Node>, Unusable> {
        let mut nodes = Vec::new();
        for (tree, growth) in &self.growth {
            let mut from = growth.from;
            let mut added = growth.leaves.clone();
            let mut level = 0;
            while (from + added.len() as u64) / WIDTH > from / WIDTH {
                let before = from % WIDTH;
                let mut row = Vec::with_capacity(PARTS + added.len());
                if before > 0 {
                    let known = stored.get(&(*tree, level)).filter(|known| known.len() as u64 == before);
                    row.extend_from_slice(known.ok_or(Unusable::Missing { tree: *tree, level })?);
                }
                row.append(&mut added);
                from /= WIDTH;
                level += 1;
                added = row.chunks_exact(PARTS).map(perfect).collect();
                nodes.extend((from..).zip(&added).map(|(index, hash)| Node { tree: *tree, level, index, hash: *hash }));
            }
        }
        Ok(nodes)
    }
}

/// The stored hashes that cover the log's tree of a size: of each level those that no hash above covers.
pub(super) fn edge(size: u64) -> Vec<Stretch> {
    let stretch = |level: u32| {
        let end = size >> (level * TILE_LEVELS);
        let start = end - end % WIDTH;
        (start < end).then(|| Stretch { tree: Tree::Log.id(), level, range: start..end })
    };
    (0..u64::BITS / TILE_LEVELS).filter_map(stretch).collect()
}

/// The hashes of the complete subtrees that cover a tree, from left to right, made of those of its [`edge`].
pub(super) fn cover_of_edge(edge: &[Stretch], stored: &Stored) -> Result<Vec<Hash>, Unusable> {
    let mut cover = Vec::new();
    for Stretch { tree, level, range } in edge.iter().rev() {
        let row = stored.get(&(*tree, *level)).filter(|row| row.len() as u64 == range.end - range.start);
        let mut rest = row.ok_or(Unusable::Missing { tree: *tree, level: *level })?.as_slice();
        for width in (0..TILE_LEVELS).rev().map(|above| 1_usize << above) {
            if rest.len() >= width {
                let (these, others) = rest.split_at(width);
                cover.push(perfect(these));
                rest = others;
            }
        }
    }
    Ok(cover)
}

/// The root over hashes whose number is a power of two.
pub(super) fn perfect(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| Hash::node(&pair[0], &pair[1])).collect();
    }
    row.first().copied().unwrap_or(Hash::EMPTY)
}

#[cfg(test)]
mod tests {
    use workroom_proofs::frontier::Frontier;

    use super::*;

    const FEEDS: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];

    fn event(position: i64, feed_id: Uuid, feed_seq: i64) -> Event {
        Event {
            position,
            event_id: Uuid::from_u128(u128::from(position.unsigned_abs())),
            feed_id,
            feed_seq,
            aggregate_type: "thing".to_owned(),
            aggregate_id: "not a UUID".to_owned(),
            sequence: feed_seq,
            event_type: "Happened".to_owned(),
            event_version: "1".to_owned(),
            payload: format!("{{\"n\":{position}}}"),
            metadata: "{}".to_owned(),
            recorded_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// Two feeds: the second one has every third event.
    fn log(size: i64) -> Vec<Event> {
        let mut places = [0; 2];
        (1..=size)
            .map(|position| {
                let feed = usize::from(position % 3 == 0);
                places[feed] += 1;
                event(position, FEEDS[feed], places[feed])
            })
            .collect()
    }

    fn hashed(events: &[Event], after: i64) -> Result<Option<Hashed>, Unusable> {
        hash(events, after, Uuid::nil(), Uuid::nil(), vec![[7; 16]; events.len()])
    }

    /// Every tree's hashes by level, as the database would have them, after batches of these sizes.
    fn integrated(events: &[Event], batch: usize) -> BTreeMap<(Uuid, u32), Vec<Hash>> {
        let mut rows = BTreeMap::<(Uuid, u32), Vec<Hash>>::new();
        for part in events.chunks(batch) {
            let hashed = hashed(part, part[0].position - 1).unwrap().unwrap();
            let mut stored = Stored::new();
            for Stretch { tree, level, range } in hashed.needed() {
                let [from, to] = [range.start, range.end].map(|place| usize::try_from(place).unwrap());
                stored.insert((tree, level), rows[&(tree, level)][from..to].to_vec());
            }
            for Node { tree, level, index, hash } in hashed.nodes(&stored).unwrap() {
                let row = rows.entry((tree, level)).or_default();
                assert_eq!(row.len() as u64, index, "without a hole");
                row.push(hash);
            }
            for (tree, growth) in &hashed.growth {
                rows.entry((*tree, 0)).or_default().extend(&growth.leaves);
            }
        }
        rows
    }

    #[test]
    fn the_trees_are_the_same_however_they_are_cut_into_batches() {
        let events = log(70_000);
        let whole = integrated(&events, 70_000);
        for batch in [1_000, 4_096, 65_536] {
            assert!(integrated(&events, batch) == whole, "{batch}");
        }
        let few = &events[..600];
        assert!(integrated(few, 1) == integrated(few, 600));
        assert_eq!(whole[&(Tree::Log.id(), 2)].len(), 1);
        let frontier = |leaves: &[Hash]| {
            let mut frontier = Frontier::new();
            for leaf in leaves {
                frontier.push(*leaf);
            }
            frontier.root()
        };
        let leaves = &whole[&(Tree::Log.id(), 0)];
        assert_eq!(whole[&(Tree::Log.id(), 2)][0], frontier(&leaves[..65_536]));
        let feed = &whole[&(FEEDS[1], 0)];
        assert_eq!(whole[&(FEEDS[1], 1)][1], frontier(&feed[256..512]));
    }

    #[test]
    fn the_edge_covers_the_tree() {
        let events = log(66_000);
        let rows = integrated(&events, 66_000);
        let leaves = &rows[&(Tree::Log.id(), 0)];
        for size in [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_793, 66_000_usize] {
            let edge = edge(size as u64);
            let mut stored = Stored::new();
            for Stretch { tree, level, range } in &edge {
                let [from, to] = [range.start, range.end].map(|place| usize::try_from(place).unwrap());
                stored.insert((*tree, *level), rows[&(*tree, *level)][from..to].to_vec());
            }
            let expected: Vec<_> = workroom_proofs::tree::cover(0..size as u64)
                .iter()
                .map(|subtree| {
                    let first = usize::try_from(subtree.index << subtree.level).unwrap();
                    perfect(&leaves[first..first + (1 << subtree.level)])
                })
                .collect();
            assert!(cover_of_edge(&edge, &stored).unwrap() == expected, "{size}");
            if !edge.is_empty() {
                assert!(matches!(cover_of_edge(&edge, &Stored::new()), Err(Unusable::Missing { .. })), "{size}");
            }
        }
    }

    #[test]
    fn a_batch_knows_how_its_feeds_grow() {
        let events = log(9);
        let hashed = hashed(&events[3..8], 3).unwrap().unwrap();
        // Positions 4, 5, 7, 8 and 6.
        let first = FeedGrowth { feed_id: FEEDS[0], from: 2, to: 6, position: 8 };
        let second = FeedGrowth { feed_id: FEEDS[1], from: 1, to: 2, position: 6 };
        assert_eq!(hashed.feeds().collect::<Vec<_>>(), [first, second]);
    }

    #[test]
    fn holes_are_refused() {
        let mut events = log(9);
        assert!(matches!(hashed(&events[1..], 0), Err(Unusable::Hole { after: 0, found: 2 })));
        events[3].feed_seq += 1;
        assert!(matches!(hashed(&events, 0), Err(Unusable::FeedHole { .. })));
        assert!(hashed(&[], 0).unwrap().is_none());
        let hashed = hashed(&log(300)[100..], 100).unwrap().unwrap();
        assert!(matches!(hashed.nodes(&Stored::new()), Err(Unusable::Missing { level: 0, .. })));
    }
}
