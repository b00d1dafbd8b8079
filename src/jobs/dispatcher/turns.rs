//! Fair turns: who has the least at work for its weight comes next.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

/// What a turn costs whose weight is 1.
const COST: u64 = 1 << 20;

/// Those who take turns. Of those that wait, the one comes next that has the least at work for its weight, and of equal ones the one
/// that has been served longest ago. Whoever was away has saved nothing up.
#[derive(Debug)]
pub(super) struct Turns<K> {
    members: HashMap<K, Member>,
    waiting: BTreeSet<(u64, u64, K)>,
    /// The weights that are not 1.
    weights: HashMap<K, u32>,
    now: u64,
}

#[derive(Debug)]
struct Member {
    at_work: u32,
    /// When it is served next, in the time that goes on with each turn.
    pass: u64,
    weight: u32,
    waits: bool,
}

impl Member {
    fn load(&self) -> u64 {
        u64::from(self.at_work) * COST / u64::from(self.weight)
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { members: HashMap::new(), waiting: BTreeSet::new(), weights: HashMap::new(), now: 0 }
    }
}

impl<K: Clone + Eq + Hash + Ord> Turns<K> {
    /// Changes a member, and puts it where it then belongs.
    fn change(&mut self, key: &K, change: impl FnOnce(&mut Member)) {
        let (now, weights) = (self.now, &self.weights);
        let member = self.members.entry(key.clone()).or_insert_with(|| Member {
            at_work: 0,
            pass: now,
            weight: weights.get(key).copied().unwrap_or(1),
            waits: false,
        });
        if member.waits {
            self.waiting.remove(&(member.load(), member.pass, key.clone()));
        }
        change(member);
        if member.waits {
            self.waiting.insert((member.load(), member.pass, key.clone()));
        } else if member.at_work == 0 {
            self.members.remove(key);
        }
    }

    /// What this one weighs from now on: who weighs three times as much has three times as much at work.
    pub(super) fn set_weight(&mut self, key: &K, weight: u32) {
        if weight == 1 {
            self.weights.remove(key);
        } else {
            self.weights.insert(key.clone(), weight);
        }
        self.change(key, |member| member.weight = weight);
    }

    /// Whether this one waits for its turn.
    pub(super) fn set_waiting(&mut self, key: &K, waits: bool) {
        let now = self.now;
        self.change(key, |member| {
            if waits && !member.waits {
                member.pass = member.pass.max(now);
            }
            member.waits = waits;
        });
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<&K> {
        self.waiting.first().map(|(_, _, key)| key)
    }

    /// This one has something more at work; it took its turn if it waited.
    pub(super) fn begin(&mut self, key: &K) {
        let mut served = self.now;
        self.change(key, |member| {
            served = served.max(member.pass);
            member.pass = member.pass.saturating_add(COST / u64::from(member.weight));
            member.at_work += 1;
        });
        self.now = served;
    }

    /// Something of this one is no longer at work.
    pub(super) fn end(&mut self, key: &K) {
        self.change(key, |member| member.at_work = member.at_work.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_least_at_work_comes_next_however_many_wait() {
        let mut turns = Turns::default();
        turns.set_waiting(&"many", true);
        for _ in 0..4 {
            assert_eq!(turns.next(), Some(&"many"));
            turns.begin(&"many");
        }
        turns.set_waiting(&"one", true);
        for _ in 0..4 {
            assert_eq!(turns.next(), Some(&"one"), "as much as the other has at work");
            turns.begin(&"one");
        }
        turns.end(&"many");
        assert_eq!(turns.next(), Some(&"many"));
    }

    #[test]
    fn equal_ones_take_turns_and_nothing_is_saved_up() {
        let mut turns = Turns::default();
        turns.set_waiting(&"a", true);
        for _ in 0..100 {
            turns.begin(&"a");
            turns.end(&"a");
        }
        turns.set_waiting(&"b", true);
        let mut served = Vec::new();
        for _ in 0..6 {
            let next = *turns.next().expect("somebody waits");
            turns.begin(&next);
            turns.end(&next);
            served.push(next);
        }
        assert_eq!(served.iter().filter(|key| **key == "a").count(), 3, "{served:?}");
    }

    #[test]
    fn who_weighs_three_times_as_much_is_served_three_times_as_often() {
        let mut turns = Turns::default();
        turns.set_weight(&"heavy", 3);
        turns.set_waiting(&"light", true);
        turns.set_waiting(&"heavy", true);
        let mut served = Vec::new();
        for _ in 0..40 {
            let next = *turns.next().expect("somebody waits");
            turns.begin(&next);
            turns.end(&next);
            served.push(next);
        }
        assert_eq!(served.iter().filter(|key| **key == "heavy").count(), 30, "{served:?}");
        (0..40).for_each(|_| {
            let next = *turns.next().expect("somebody waits");
            turns.begin(&next);
        });
        assert_eq!((turns.members["heavy"].at_work, turns.members["light"].at_work), (30, 10));
        turns.set_weight(&"heavy", 1);
        turns.set_waiting(&"heavy", false);
        turns.set_waiting(&"light", false);
        assert!(turns.weights.is_empty());
    }

    #[test]
    fn who_neither_waits_nor_works_is_forgotten() {
        let mut turns = Turns::default();
        turns.set_waiting(&1, true);
        turns.begin(&1);
        turns.set_waiting(&1, false);
        assert_eq!(turns.next(), None);
        turns.end(&1);
        assert!(turns.members.is_empty() && turns.waiting.is_empty());
    }
}
