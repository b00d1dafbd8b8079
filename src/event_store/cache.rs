//! States of aggregates, kept between commands. A stale one is harmless: the append checks the sequence.

use std::{any::Any, sync::Arc};

use moka::sync::Cache;
use uuid::Uuid;
use workroom_domain::Decide;

/// Bytes that all cached states may take together, roughly.
const CAPACITY: u64 = 32 * 1024 * 1024;
/// Bytes that an entry takes beside its state's own weight, roughly.
const OVERHEAD: usize = 512;

/// An aggregate's state, and the sequence of the last event folded into it.
#[derive(Clone, Debug)]
pub struct Versioned<A> {
    /// The aggregate's id.
    pub id: Uuid,
    /// The state.
    pub state: A,
    /// The sequence of its last event; 0 when it has none.
    pub sequence: i64,
}

type Entry = (usize, Arc<dyn Any + Send + Sync>);

/// A bounded cache of aggregates, by type and id.
#[derive(Clone)]
pub struct AggregateCache {
    states: Cache<(&'static str, Uuid), Entry>,
}

impl AggregateCache {
    pub(super) fn new() -> Self {
        let weigher =
            |_: &(&'static str, Uuid), (weight, _): &Entry| u32::try_from(weight + OVERHEAD).unwrap_or(u32::MAX);
        Self { states: Cache::builder().max_capacity(CAPACITY).weigher(weigher).build() }
    }

    pub(super) fn get<A: Decide>(&self, id: Uuid) -> Option<Arc<Versioned<A>>> {
        let (_, state) = self.states.get(&(A::TYPE, id))?;
        state.downcast().ok()
    }

    /// Keeps a state, unless a newer one is there: two commands may finish in another order than they committed.
    pub(super) fn put<A: Decide>(&self, versioned: Arc<Versioned<A>>) {
        let key = (A::TYPE, versioned.id);
        if self.get::<A>(versioned.id).is_some_and(|known| known.sequence > versioned.sequence) {
            return;
        }
        self.states.insert(key, (versioned.state.weight(), versioned));
    }

    pub(super) fn remove(&self, aggregate_type: &'static str, id: Uuid) {
        self.states.invalidate(&(aggregate_type, id));
    }
}
