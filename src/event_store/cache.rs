//! States of aggregates, kept between commands. A stale one is harmless: the append checks the sequence.
//!
//! A state may be kept before its events are committed, so that commands on one aggregate can follow each other without waiting
//! for the disk. It then comes with the [`Settlement`] that its reader depends on.

use std::{any::Any, sync::Arc};

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use uuid::Uuid;
use workroom_domain::Decide;

use super::settlement::{Settled, Settlement};

/// Bytes that all cached states may take together, roughly.
const CAPACITY: u64 = 32 * 1024 * 1024;
/// Parts of the cache, each with a lock and an equal share of the bytes: a state larger than a share is not kept.
const SHARDS: usize = 4;
/// Bytes that an entry takes beside its state's own weight, roughly.
const OVERHEAD: usize = 512;

/// An aggregate's state, and the sequence of the last event folded into it.
#[derive(Clone, Debug)]
pub struct Versioned<A> {
    /// The aggregate's id.
    pub id: Uuid,
    /// What the events up to `sequence` make of the aggregate; its default when there are none.
    pub state: A,
    /// The sequence of its last event; 0 when it has none.
    pub sequence: i64,
}

#[derive(Clone)]
struct Entry {
    weight: usize,
    state: Arc<dyn Any + Send + Sync>,
    settlement: Option<Settlement>,
}

/// A state, and what it depends on while its events are on their way to the log.
pub(super) struct Cached<A> {
    pub(super) versioned: Arc<Versioned<A>>,
    pub(super) settlement: Option<Settlement>,
}

type Key = (&'static str, Uuid, u64);

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Entry> for Weigh {
    fn weight(&self, _: &Key, entry: &Entry) -> u64 {
        u64::try_from(entry.weight + OVERHEAD).unwrap_or(u64::MAX)
    }
}

/// A bounded cache of aggregates, by type, id, and the generation of the incarnation that they belong to.
#[derive(Clone)]
pub struct AggregateCache {
    states: Arc<Cache<Key, Entry, Weigh>>,
}

fn key<A: Decide>(id: Uuid, generation: u64) -> Key {
    (A::TYPE, id, generation)
}

impl AggregateCache {
    pub(super) fn new() -> Self {
        let items = usize::try_from(CAPACITY).unwrap_or(usize::MAX) / (2 * OVERHEAD);
        let (hash, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        let states = match OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(CAPACITY)
            .shards(SHARDS)
            .build()
        {
            Ok(options) => Cache::with_options(options, Weigh, hash, lifecycle),
            Err(_) => Cache::with(items, CAPACITY, Weigh, hash, lifecycle),
        };
        Self { states: Arc::new(states) }
    }

    /// The newest state known, committed or on its way.
    pub(super) fn get<A: Decide>(&self, id: Uuid, generation: u64) -> Option<Cached<A>> {
        let key = key::<A>(id, generation);
        let Entry { state, settlement, .. } = self.states.get(&key)?;
        let settlement = match settlement.as_ref().map(Settlement::state) {
            None | Some(Settled::Committed) => None,
            Some(Settled::NotYet) => settlement,
            Some(Settled::Failed) => {
                self.evict_exact(key, &state);
                return None;
            }
        };
        Some(Cached { versioned: state.downcast().ok()?, settlement })
    }

    /// Keeps a state, unless a newer one is there: two commands may finish in another order than they committed.
    pub(super) fn put<A: Decide>(&self, versioned: Arc<Versioned<A>>, generation: u64, settlement: Option<Settlement>) {
        if self.get::<A>(versioned.id, generation).is_some_and(|known| known.versioned.sequence > versioned.sequence) {
            return;
        }
        let key = key::<A>(versioned.id, generation);
        let weight = versioned.state.weight();
        self.states.insert(key, Entry { weight, state: versioned, settlement });
    }

    pub(super) fn evict(&self, aggregate_type: &'static str, id: Uuid, generation: u64) {
        self.states.remove(&(aggregate_type, id, generation));
    }

    /// Evicts this very state; one that has taken its place stays.
    pub(super) fn evict_exact(&self, key: Key, state: &Arc<dyn Any + Send + Sync>) {
        self.states.remove_if(&key, |entry| Arc::ptr_eq(&entry.state, state));
    }

    pub(super) fn clear(&self) {
        self.states.clear();
    }
}
