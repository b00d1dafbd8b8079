//! What may be handed out, in fair turns: between organizations, within each between its fairness keys, and for one
//! of these by urgency.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use time::OffsetDateTime;
use uuid::Uuid;

use super::turns::Turns;

/// A fairness key: what shares an organization's turns with others of it. Jobs without one have one in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Share(Option<Arc<str>>);

impl Share {
    pub(super) fn new(key: Option<&str>) -> Self {
        Self(key.map(Arc::from))
    }
}

/// Whose job it is, for the purpose of taking turns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Owner {
    /// The organization; an account, where the job belongs to no project.
    pub(super) tenant: Uuid,
    /// The fairness key within it.
    pub(super) share: Share,
}

/// Where a job stands among those of its owner: the most urgent first, then the one that has been due longest.
pub(super) type Rank = (u8, OffsetDateTime, Uuid);

/// Jobs that may be handed out.
#[derive(Default)]
pub(super) struct FairQueue {
    tenants: Turns<Uuid>,
    parts: HashMap<Uuid, Part>,
    /// The weights of fairness keys that are not 1.
    weights: HashMap<Owner, u32>,
}

/// What a tenant has waiting and at work.
#[derive(Default)]
struct Part {
    turns: Turns<Share>,
    waiting: HashMap<Share, BTreeSet<Rank>>,
    at_work: usize,
}

impl FairQueue {
    /// What an organization weighs beside others from now on.
    pub(super) fn set_weight(&mut self, tenant: Uuid, weight: u32) {
        self.tenants.set_weight(&tenant, weight);
    }

    /// What a fairness key weighs beside others of its organization from now on.
    pub(super) fn set_weight_of_share(&mut self, owner: &Owner, weight: u32) {
        if weight == 1 {
            self.weights.remove(owner);
        } else {
            self.weights.insert(owner.clone(), weight);
        }
        if let Some(part) = self.parts.get_mut(&owner.tenant) {
            part.turns.set_weight(&owner.share, weight);
        }
    }

    /// What an organization has here.
    fn part(&mut self, owner: &Owner) -> &mut Part {
        let part = self.parts.entry(owner.tenant).or_default();
        if let Some(weight) = self.weights.get(owner) {
            part.turns.set_weight(&owner.share, *weight);
        }
        part
    }

    /// Puts a job in.
    pub(super) fn push(&mut self, owner: &Owner, rank: Rank) {
        let part = self.part(owner);
        part.waiting.entry(owner.share.clone()).or_default().insert(rank);
        part.turns.set_waiting(&owner.share, true);
        self.tenants.set_waiting(&owner.tenant, true);
    }

    /// Takes a job out that is not to be handed out after all.
    pub(super) fn remove(&mut self, owner: &Owner, rank: &Rank) {
        let Some(part) = self.parts.get_mut(&owner.tenant) else { return };
        part.take(&owner.share, Some(rank));
        self.settle(owner.tenant);
    }

    /// The job whose turn it is; it is at work from now on.
    pub(super) fn pop(&mut self) -> Option<Rank> {
        let tenant = *self.tenants.next()?;
        let part = self.parts.get_mut(&tenant)?;
        let share = part.turns.next()?.clone();
        let rank = part.take(&share, None)?;
        self.begin(&Owner { tenant, share });
        self.settle(tenant);
        Some(rank)
    }

    /// A job of this owner is at work.
    pub(super) fn begin(&mut self, owner: &Owner) {
        let part = self.part(owner);
        part.turns.begin(&owner.share);
        part.at_work += 1;
        self.tenants.begin(&owner.tenant);
    }

    /// A job of this owner is no longer at work.
    pub(super) fn end(&mut self, owner: &Owner) {
        let Some(part) = self.parts.get_mut(&owner.tenant) else { return };
        part.turns.end(&owner.share);
        part.at_work = part.at_work.saturating_sub(1);
        self.tenants.end(&owner.tenant);
        self.settle(owner.tenant);
    }

    fn settle(&mut self, tenant: Uuid) {
        let Some(part) = self.parts.get(&tenant) else { return };
        if part.waiting.is_empty() {
            self.tenants.set_waiting(&tenant, false);
            if part.at_work == 0 {
                self.parts.remove(&tenant);
            }
        }
    }
}

impl Part {
    /// Takes out a job of a fairness key: this one, or the first.
    fn take(&mut self, share: &Share, rank: Option<&Rank>) -> Option<Rank> {
        let waiting = self.waiting.get_mut(share)?;
        let taken = match rank {
            Some(rank) => waiting.take(rank),
            None => waiting.pop_first(),
        };
        if waiting.is_empty() {
            self.waiting.remove(share);
            self.turns.set_waiting(share, false);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(tenant: u128, key: Option<&str>) -> Owner {
        Owner { tenant: Uuid::from_u128(tenant), share: Share::new(key) }
    }

    fn rank(priority: u8, id: u128) -> Rank {
        (priority, OffsetDateTime::UNIX_EPOCH, Uuid::from_u128(id))
    }

    fn ids(queue: &mut FairQueue, count: usize) -> Vec<u128> {
        (0..count).filter_map(|_| queue.pop()).map(|(_, _, id)| id.as_u128()).collect()
    }

    #[test]
    fn a_tenant_with_thousands_of_jobs_delays_another_by_one_slot() {
        let mut queue = FairQueue::default();
        (0..10_000).for_each(|id| queue.push(&owner(1, None), rank(1, id)));
        assert_eq!(ids(&mut queue, 2), [0, 1]);
        queue.push(&owner(2, None), rank(5, 20_000));
        assert_eq!(ids(&mut queue, 1), [20_000], "the next slot, whatever its urgency");
    }

    #[test]
    fn fairness_keys_share_what_their_organization_gets() {
        let mut queue = FairQueue::default();
        for id in 0..100 {
            queue.push(&owner(1, Some(&format!("key {}", id % 50))), rank(3, id));
            queue.push(&owner(2, None), rank(3, 1000 + id));
        }
        let taken = ids(&mut queue, 40);
        assert_eq!(taken.iter().filter(|id| **id >= 1000).count(), 20, "half, though the other has fifty keys");
    }

    #[test]
    fn weights_divide_slots_between_organizations_and_between_fairness_keys() {
        let mut queue = FairQueue::default();
        queue.set_weight(Uuid::from_u128(1), 3);
        queue.set_weight_of_share(&owner(1, Some("heavy")), 2);
        for id in 0..100 {
            queue.push(&owner(1, Some("heavy")), rank(3, id));
            queue.push(&owner(1, Some("light")), rank(3, 1000 + id));
            queue.push(&owner(2, None), rank(3, 2000 + id));
        }
        let taken = ids(&mut queue, 40);
        let count = |from: u128| taken.iter().filter(|id| (from..from + 1000).contains(*id)).count();
        assert_eq!([count(0), count(1000), count(2000)], [20, 10, 10]);
    }

    #[test]
    fn the_most_urgent_of_an_owner_comes_first() {
        let mut queue = FairQueue::default();
        for (priority, id) in [(3, 1), (1, 2), (5, 3), (3, 0)] {
            queue.push(&owner(1, None), rank(priority, id));
        }
        queue.remove(&owner(1, None), &rank(5, 3));
        assert_eq!(ids(&mut queue, 9), [2, 0, 1]);
        (0..3).for_each(|_| queue.end(&owner(1, None)));
        assert!(queue.parts.is_empty());
    }
}
