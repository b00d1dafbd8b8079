//! Those who wait at a gate: tenants take turns, and within each its fairness keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

use uuid::Uuid;

use super::fair::{Owner, Rank, Share};

/// Those who wait at a gate.
#[derive(Debug, Default)]
pub(super) struct Line {
    tenants: Ring<Uuid, Ring<Share, BTreeSet<Rank>>>,
}

impl Line {
    /// A job waits.
    pub(super) fn push(&mut self, owner: &Owner, rank: Rank) {
        let shares = self.tenants.members.entry(owner.tenant).or_default();
        shares.members.entry(owner.share.clone()).or_default().insert(rank);
    }

    /// A job waits no longer.
    pub(super) fn remove(&mut self, owner: &Owner, rank: &Rank) {
        let Some(shares) = self.tenants.members.get_mut(&owner.tenant) else { return };
        let Some(ranks) = shares.members.get_mut(&owner.share) else { return };
        ranks.remove(rank);
        if ranks.is_empty() {
            shares.members.remove(&owner.share);
        }
        if shares.members.is_empty() {
            self.tenants.members.remove(&owner.tenant);
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tenants.members.is_empty()
    }

    /// Whose turn it is; it goes on waiting until it is removed.
    pub(super) fn next(&mut self) -> Option<Uuid> {
        let (_, _, job_id) = self.tenants.next()?.next()?.first()?;
        Some(*job_id)
    }
}

/// Members in a circle.
#[derive(Debug)]
struct Ring<K, V> {
    members: BTreeMap<K, V>,
    last: Option<K>,
}

impl<K, V> Default for Ring<K, V> {
    fn default() -> Self {
        Self { members: BTreeMap::new(), last: None }
    }
}

impl<K: Clone + Ord, V> Ring<K, V> {
    /// The member behind the last one.
    fn next(&mut self) -> Option<&mut V> {
        let behind = self.last.as_ref().and_then(|last| self.members.range::<K, _>((Excluded(last), Unbounded)).next());
        let key = behind.or_else(|| self.members.first_key_value()).map(|(key, _)| key.clone())?;
        self.last = Some(key.clone());
        self.members.get_mut(&key)
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn tenants_take_turns_and_within_each_its_fairness_keys() {
        let mut line = Line::default();
        let owner = |tenant, key| Owner { tenant: Uuid::from_u128(tenant), share: Share::new(Some(key)) };
        let rank = |id| (3, OffsetDateTime::UNIX_EPOCH, Uuid::from_u128(id));
        let owners = [(owner(1, "a"), 10), (owner(1, "b"), 20), (owner(2, "a"), 30)];
        for (owner, first) in &owners {
            (0..3).for_each(|id| line.push(owner, rank(first + id)));
        }
        let mut served = Vec::new();
        while let Some(job_id) = line.next() {
            served.push(job_id.as_u128());
            for (owner, _) in &owners {
                line.remove(owner, &rank(job_id.as_u128()));
            }
        }
        assert_eq!(served, [10, 30, 20, 31, 11, 32, 21, 12, 22]);
        assert!(line.is_empty());
    }
}
