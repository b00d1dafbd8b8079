//! What more than fair turns decides whether a job may start: of a key one at a time, only so many of an
//! organization, a project, an account or a webhook, and the rules that were set for it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::job_rule::{Rate, Rule};

use super::{
    bucket::Bucket,
    fair::{Owner, Rank},
    line::Line,
};
use crate::jobs::pool::Pool;

/// Deliveries of a webhook that are at work at a time: a slow receiver takes only so many slots.
const PER_WEBHOOK: usize = 8;

/// Something that only so many jobs may pass at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Gate {
    /// Jobs that a rule is about.
    Rule(Uuid),
    /// Jobs with the same key.
    Key(Uuid),
    /// Deliveries of a webhook.
    Webhook(Uuid),
    /// Jobs of an organization, or of an account's own.
    Tenant(Uuid),
    /// Jobs of a project.
    Project(Uuid),
    /// Jobs that an account has submitted.
    Account(Uuid),
}

/// How many jobs may be at work at a time; none is as many as there are slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunningLimits {
    /// Of an organization, or of an account's own.
    pub per_organization: Option<usize>,
    /// Of a project.
    pub per_project: Option<usize>,
    /// Submitted by an account.
    pub per_account: Option<usize>,
}

/// What a rule asks of the jobs that it is about.
#[derive(Debug)]
struct Demand {
    paused: bool,
    running: usize,
    rate: Option<(Rate, Bucket)>,
}

/// Who is through the gates, and who waits at them.
#[derive(Default)]
pub(super) struct Gates {
    limits: RunningLimits,
    rules: HashMap<Uuid, Demand>,
    /// When each rule may let more jobs start.
    refills: BTreeSet<(Instant, Uuid)>,
    passed: HashMap<Gate, usize>,
    /// For each pool by itself: who waits for a slot of one does not stand before who could have one of the other.
    waiting: HashMap<(Gate, Pool), Line>,
}

impl Gates {
    pub(super) fn new(limits: RunningLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    fn limit(&self, gate: Gate) -> usize {
        let limit = match gate {
            Gate::Rule(id) => self.rules.get(&id).map(|rule| rule.running),
            Gate::Key(_) => Some(1),
            Gate::Webhook(_) => Some(PER_WEBHOOK),
            Gate::Tenant(_) => self.limits.per_organization,
            Gate::Project(_) => self.limits.per_project,
            Gate::Account(_) => self.limits.per_account,
        };
        limit.unwrap_or(usize::MAX)
    }

    fn is_open(&self, gate: Gate) -> bool {
        let has_room = self.passed.get(&gate).copied().unwrap_or_default() < self.limit(gate);
        let Gate::Rule(id) = gate else { return has_room };
        has_room && self.rules.get(&id).is_none_or(Demand::lets_start)
    }

    /// The first of these that cannot be passed now.
    pub(super) fn closed(&self, gates: &[Gate]) -> Option<Gate> {
        gates.iter().copied().find(|gate| !self.is_open(*gate))
    }

    /// A job passes all of its gates now: it uses up what rates allow.
    pub(super) fn pass(&mut self, gates: &[Gate], now: Instant) {
        self.count(gates);
        for gate in gates {
            if let Gate::Rule(id) = gate
                && let Some(Demand { rate: Some((_, bucket)), .. }) = self.rules.get_mut(id)
                && let Some(refill) = bucket.take(now)
            {
                self.refills.insert((refill, *id));
            }
        }
    }

    /// A job is at work: it has passed its gates before.
    pub(super) fn count(&mut self, gates: &[Gate]) {
        for gate in gates {
            // Who is not limited is not counted; a rule may come to limit.
            if matches!(gate, Gate::Rule(_)) || self.limit(*gate) < usize::MAX {
                *self.passed.entry(*gate).or_default() += 1;
            }
        }
    }

    /// A job that has passed its gates is no longer at work.
    pub(super) fn leave(&mut self, gates: &[Gate]) {
        for gate in gates {
            if let Some(passed) = self.passed.get_mut(gate) {
                *passed -= 1;
                if *passed == 0 {
                    self.passed.remove(gate);
                }
            }
        }
    }

    /// A job waits at a gate.
    pub(super) fn wait(&mut self, gate: Gate, pool: Pool, owner: &Owner, rank: Rank) {
        self.waiting.entry((gate, pool)).or_default().push(owner, rank);
    }

    /// A job waits no longer.
    pub(super) fn forget(&mut self, gate: Gate, pool: Pool, owner: &Owner, rank: &Rank) {
        if let Some(line) = self.waiting.get_mut(&(gate, pool)) {
            line.remove(owner, rank);
            if line.is_empty() {
                self.waiting.remove(&(gate, pool));
            }
        }
    }

    /// Whether any job waits at a gate.
    pub(super) fn hold_any(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Who is next of those that wait at a gate, if that is open: it may try again.
    pub(super) fn next(&mut self, gate: Gate, pool: Pool) -> Option<Uuid> {
        if !self.waiting.contains_key(&(gate, pool)) || !self.is_open(gate) {
            return None;
        }
        self.waiting.get_mut(&(gate, pool))?.next()
    }

    /// Keeps a rule from now on; `full`: as many as its rate allows may start at once.
    pub(super) fn set_rule(&mut self, id: Uuid, rule: &Rule, full: bool, now: Instant) {
        let before = self.drop_rule(id);
        let rate = rule.rate.map(|rate| match before.and_then(|before| before.rate) {
            Some((same, bucket)) if same == rate => (rate, bucket),
            _ => (rate, Bucket::new(rate.count(), Duration::from_secs(rate.seconds().into()), full, now)),
        });
        if let Some(refill) = rate.as_ref().and_then(|(_, bucket)| bucket.refills_at()) {
            self.refills.insert((refill, id));
        }
        let running = rule.running.and_then(|running| running.number().try_into().ok()).unwrap_or(usize::MAX);
        self.rules.insert(id, Demand { paused: rule.paused, running, rate });
    }

    /// Keeps a rule no longer.
    pub(super) fn clear_rule(&mut self, id: Uuid) {
        self.drop_rule(id);
        self.passed.remove(&Gate::Rule(id));
    }

    fn drop_rule(&mut self, id: Uuid) -> Option<Demand> {
        let demand = self.rules.remove(&id)?;
        if let Some(refill) = demand.rate.as_ref().and_then(|(_, bucket)| bucket.refills_at()) {
            self.refills.remove(&(refill, id));
        }
        Some(demand)
    }

    /// When the next rule may let more jobs start.
    pub(super) fn next_refill(&self) -> Option<Instant> {
        self.refills.first().map(|(at, _)| *at)
    }

    /// A rule that lets more jobs start by now.
    pub(super) fn refill(&mut self, now: Instant) -> Option<Gate> {
        let (_, id) = self.refills.first().filter(|(at, _)| *at <= now).copied()?;
        self.refills.pop_first();
        if let Some(Demand { rate: Some((_, bucket)), .. }) = self.rules.get_mut(&id)
            && let Some(refill) = bucket.refill(now)
        {
            self.refills.insert((refill, id));
        }
        Some(Gate::Rule(id))
    }
}

impl Demand {
    fn lets_start(&self) -> bool {
        !self.paused && self.rate.as_ref().is_none_or(|(_, bucket)| bucket.has_any())
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::{super::fair::Share, *};

    const POOL: Pool = Pool::Sandbox;

    fn rank(id: u128) -> Rank {
        (3, OffsetDateTime::UNIX_EPOCH, Uuid::from_u128(id))
    }

    fn owner() -> Owner {
        Owner { tenant: Uuid::from_u128(9), share: Share::default() }
    }

    #[test]
    fn of_a_key_one_passes_and_the_next_when_it_has_left() {
        let mut gates = Gates::default();
        let key = [Gate::Key(Uuid::from_u128(1)), Gate::Account(Uuid::from_u128(2))];
        assert_eq!(gates.closed(&key), None);
        gates.pass(&key, Instant::now());
        assert_eq!(gates.closed(&key), Some(key[0]));
        gates.wait(key[0], POOL, &owner(), rank(7));
        assert_eq!(gates.next(key[0], POOL), None);
        gates.leave(&key);
        assert_eq!(gates.next(key[0], Pool::Service), None, "nobody of the other pool waits");
        assert_eq!(gates.next(key[0], POOL), Some(Uuid::from_u128(7)));
        gates.forget(key[0], POOL, &owner(), &rank(7));
        assert_eq!(gates.next(key[0], POOL), None);
        assert!(gates.passed.is_empty() && gates.waiting.is_empty());
    }

    #[test]
    fn only_so_many_of_an_account_pass_and_of_a_webhook() {
        let mut gates = Gates::new(RunningLimits { per_account: Some(2), ..RunningLimits::default() });
        let account = [Gate::Account(Uuid::from_u128(2))];
        gates.pass(&account, Instant::now());
        gates.pass(&account, Instant::now());
        assert_eq!(gates.closed(&account), Some(account[0]));
        assert_eq!(gates.closed(&[Gate::Account(Uuid::from_u128(3))]), None);
        let webhook = [Gate::Webhook(Uuid::from_u128(2))];
        for _ in 0..PER_WEBHOOK {
            assert_eq!(gates.closed(&webhook), None);
            gates.pass(&webhook, Instant::now());
        }
        assert_eq!(gates.closed(&webhook), Some(webhook[0]));
    }
}
