//! All jobs that wait or run, as the log tells.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::{
    job::{Interruption, JobEvent, JobState, JobStatus},
    job_rule::{Rule, RuleOwner, Weight},
    redaction::PayloadRedacted,
};
use workroom_projections::jobs::OpenJob;

use super::{
    entry::{Due, Entry, Moment, State},
    fair::FairQueue,
    gates::{Gate, Gates, RunningLimits},
    rules::{Rules, Subject, Weighed, holds_back, weighs},
};
use crate::jobs::{
    JobMessage,
    pool::{PerPool, Pool},
};

/// How many jobs one [`Book::take`] moves to a gate at most. The whole backlog may have to move when a gate opens, and
/// nothing else happens meanwhile.
const MOVES_PER_TAKE: usize = 64;

/// All jobs that wait or run.
#[derive(Default)]
pub(super) struct Book {
    jobs: HashMap<Uuid, Entry>,
    /// Those that a rule of this owner may be about.
    of_owner: HashMap<RuleOwner, HashSet<Uuid>>,
    /// Those that wait for their time.
    due: BTreeSet<(OffsetDateTime, Uuid)>,
    /// The time when it was last looked for those whose time has come.
    now: Option<OffsetDateTime>,
    /// Those that wait for a slot.
    ready: PerPool<FairQueue>,
    /// Whether the latest `take` stopped before it had looked at all that wait for a slot.
    unfinished: PerPool<bool>,
    rules: Rules,
    /// The rules that say something, as they were told last.
    in_force: HashMap<Uuid, Rule>,
    gates: Gates,
    /// How many are handed out or run.
    at_work: PerPool<usize>,
    /// What each worker runs.
    workers: HashMap<Uuid, HashSet<Uuid>>,
}

/// What somebody else has to do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// A worker runs what it should no longer run.
    Stop { worker_id: Uuid },
    /// A job that was over is to be done again: it has to be read.
    Read { job_id: Uuid },
}

/// An attempt that is at work with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) job_id: Uuid,
    pub(super) attempt: u32,
    /// How often in a row its worker was lost before.
    pub(super) losses: u32,
}

impl Book {
    /// An empty book.
    pub(super) fn new(limits: RunningLimits) -> Self {
        Self { gates: Gates::new(limits), ..Self::default() }
    }

    /// Takes in a job as the views show it.
    pub(super) fn load(&mut self, job: &OpenJob) {
        // One that runs and does not say where ran before workers were named: nobody will answer for that one.
        let worker_id = job.worker_id.or_else(|| job.due_at.is_none().then(Uuid::nil));
        let (entry, due) = Entry::load(job);
        self.insert(job.id, entry, due, worker_id);
    }

    /// Takes in a job as the log tells it: it is to be done again.
    pub(super) fn read(&mut self, job_id: Uuid, job: &JobState, since: OffsetDateTime) {
        let worker_id = job.worker_id.filter(|_| job.status == JobStatus::Running);
        self.insert(job_id, Entry::of(&job.request, job.attempt), Due::Since(since), worker_id);
    }

    fn insert(&mut self, job_id: Uuid, mut entry: Entry, due: Due, worker_id: Option<Uuid>) {
        self.remove(job_id);
        let rules = self.rules.of(&entry.subject, &entry.owner.share);
        if !rules.is_empty() {
            entry.gates = rules.into_iter().map(Gate::Rule).chain(entry.gates).collect();
        }
        entry.due_at = due.at();
        for owner in entry.subject.owners() {
            self.of_owner.entry(owner).or_default().insert(job_id);
        }
        self.jobs.insert(job_id, entry);
        self.place(job_id, worker_id.map_or(State::from(due), |worker_id| State::Running { worker_id }));
    }

    /// Follows an event of a job.
    pub(super) fn apply(&mut self, job_id: Uuid, event: &JobEvent, at: Moment) -> Effect {
        match (event, Due::after(event, at)) {
            (JobEvent::JobRequested(request), Some(due)) => self.insert(job_id, Entry::of(request, 0), due, None),
            (JobEvent::JobStarted { attempt, worker_id }, _) => {
                if let Some(entry) = self.jobs.get_mut(&job_id) {
                    entry.attempt = *attempt;
                    self.start(job_id, *worker_id);
                }
            }
            (JobEvent::JobAttemptFailed { .. } | JobEvent::JobSnoozed { .. }, Some(due)) => {
                self.wait(job_id, due, |_| 0);
            }
            (JobEvent::JobInterrupted { cause, .. }, Some(due)) => {
                let is_lost = *cause == Interruption::WorkerLost;
                self.wait(job_id, due, |losses| losses + u32::from(is_lost));
            }
            // What follows it ends the job.
            (
                JobEvent::JobRequested(_)
                | JobEvent::JobAttemptFailed { .. }
                | JobEvent::JobSnoozed { .. }
                | JobEvent::JobInterrupted { .. },
                None,
            ) => {}
            (JobEvent::JobSucceeded { .. } | JobEvent::JobDeadLettered { .. } | JobEvent::JobDeleted {}, _) => {
                self.remove(job_id);
            }
            (JobEvent::JobCancelled { .. }, _) => {
                let state = self.jobs.get(&job_id).map(|entry| entry.state);
                self.remove(job_id);
                if let Some(State::Running { worker_id }) = state {
                    return Effect::Stop { worker_id };
                }
            }
            // Its keys may be others now.
            (JobEvent::JobRedriven {} | JobEvent::PayloadRedacted(_), _) => return Effect::Read { job_id },
        }
        Effect::None
    }

    fn wait(&mut self, job_id: Uuid, due: Due, losses: impl FnOnce(u32) -> u32) {
        let gates = self.leave(job_id);
        if let Some(entry) = self.jobs.get_mut(&job_id) {
            entry.due_at = due.at();
            entry.losses = losses(entry.losses);
            self.place(job_id, State::from(due));
        }
        self.let_in(&gates);
    }

    /// Keeps a rule from now on; `full`: as many as its rate allows may start at once. It holds no job that is at work.
    pub(super) fn set_rule(&mut self, id: Uuid, rule: &Rule, full: bool, now: Instant) {
        let before = self.in_force.remove(&id);
        if !rule.is_none() {
            self.in_force.insert(id, rule.clone());
        }
        // Its keys were redacted, or are told again: it is about other jobs from now on.
        if let Some(before) = before.filter(|before| before.scope != rule.scope) {
            self.keep_rule(id, &Rule::none(before.scope), full, now);
        }
        self.keep_rule(id, rule, full, now);
    }

    /// Keys that a rule names were redacted: no job has what stands for them. It holds nothing back until it is set again.
    pub(super) fn redact_rule(&mut self, id: Uuid, redacted: &PayloadRedacted, now: Instant) {
        if let Some(mut rule) = self.in_force.get(&id).cloned() {
            rule.scope.redact(redacted);
            self.set_rule(id, &rule, true, now);
        }
    }

    fn keep_rule(&mut self, id: Uuid, rule: &Rule, full: bool, now: Instant) {
        self.weigh(rule);
        if !holds_back(rule) {
            return self.clear_rule(id, rule);
        }
        let gate = Gate::Rule(id);
        self.gates.set_rule(id, rule, full, now);
        if self.rules.insert(id, rule) {
            let of_owner = rule.scope.owner().and_then(|owner| self.of_owner.get(&owner));
            for job_id in of_owner.into_iter().flatten() {
                let Some(entry) = self.jobs.get_mut(job_id) else { continue };
                if !entry.subject.is_in(&rule.scope, &entry.owner.share) {
                    continue;
                }
                entry.gates = [gate].into_iter().chain(entry.gates.iter().copied()).collect();
                if matches!(entry.state, State::HandedOut | State::Running { .. }) {
                    self.gates.count(&[gate]);
                }
            }
        }
        self.let_in(&[gate]);
    }

    fn clear_rule(&mut self, id: Uuid, rule: &Rule) {
        if !self.rules.remove(id, rule) {
            return;
        }
        let gate = Gate::Rule(id);
        self.gates.clear_rule(id);
        let mut held = Vec::new();
        let of_owner = rule.scope.owner().and_then(|owner| self.of_owner.get(&owner));
        for job_id in of_owner.into_iter().flatten() {
            let Some(entry) = self.jobs.get_mut(job_id).filter(|entry| entry.gates.contains(&gate)) else { continue };
            entry.gates = entry.gates.iter().copied().filter(|other| *other != gate).collect();
            if entry.state == (State::Held { at: gate }) {
                held.push(*job_id);
            }
        }
        for job_id in held {
            self.enter(job_id, State::Ready);
        }
    }

    fn weigh(&mut self, rule: &Rule) {
        let weight = rule.weight.map_or(1, Weight::number);
        let Some(weighed) = weighs(rule) else { return };
        for pool in Pool::ALL {
            match &weighed {
                Weighed::Tenant(tenant) => self.ready[pool].set_weight(*tenant, weight),
                Weighed::Share(owner) => self.ready[pool].set_weight_of_share(owner, weight),
            }
        }
    }

    /// Lets those try again whose rules let more jobs start by now.
    pub(super) fn refill(&mut self, now: Instant) {
        while let Some(gate) = self.gates.refill(now) {
            self.let_in(&[gate]);
        }
    }

    /// When a rule may let a job start that waits.
    pub(super) fn next_refill(&self) -> Option<Instant> {
        self.gates.next_refill().filter(|_| self.gates.hold_any())
    }

    /// Lets those wait for a slot whose time has come.
    pub(super) fn release(&mut self, now: OffsetDateTime) {
        self.now = Some(now);
        while let Some((_, job_id)) = self.due.first().filter(|(due_at, _)| *due_at <= now).copied() {
            self.enter(job_id, State::Ready);
        }
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<OffsetDateTime> {
        self.due.first().map(|(due_at, _)| *due_at)
    }

    /// How many of a pool are handed out or run.
    pub(super) fn at_work(&self, pool: Pool) -> usize {
        self.at_work[pool]
    }

    /// How many jobs wait or run.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// The attempt whose turn it is; it is handed out from now on. Those that cannot pass their gates wait there. None
    /// may also mean that it has moved enough of them: [`Book::has_unfinished`].
    pub(super) fn take(&mut self, pool: Pool, now: Instant) -> Option<JobMessage> {
        self.unfinished[pool] = false;
        for _ in 0..MOVES_PER_TAKE {
            let (_, _, job_id) = self.ready[pool].pop()?;
            let entry = self.jobs.get_mut(&job_id)?;
            if let Some(at) = self.gates.closed(&entry.gates) {
                self.ready[pool].end(&entry.owner);
                self.gates.wait(at, pool, &entry.owner, entry.rank(job_id));
                entry.state = State::Held { at };
                let gates = entry.gates.clone();
                self.let_in(&gates);
                continue;
            }
            self.gates.pass(&entry.gates, now);
            self.at_work[pool] += 1;
            entry.state = State::HandedOut;
            let message = JobMessage { job_id, attempt: entry.attempt + 1 };
            if self.gates.hold_any() {
                // A gate that is open for more than one lets in the next as soon as one is through.
                let gates = entry.gates.clone();
                self.let_in(&gates);
            }
            return Some(message);
        }
        self.unfinished[pool] = true;
        None
    }

    /// Whether the latest [`Book::take`] stopped early: another one goes on.
    pub(super) fn has_unfinished(&self, pool: Pool) -> bool {
        self.unfinished[pool]
    }

    /// Of those that wait at each of these gates, the first of each pool may try again.
    fn let_in(&mut self, gates: &[Gate]) {
        for gate in gates {
            for pool in Pool::ALL {
                if let Some(job_id) = self.gates.next(*gate, pool) {
                    self.enter(job_id, State::Ready);
                }
            }
        }
    }

    /// Whether an attempt starts only with its key.
    pub(super) fn has_key(&self, job_id: Uuid) -> bool {
        self.jobs.get(&job_id).is_some_and(|entry| entry.gates.iter().any(|gate| matches!(gate, Gate::Key(_))))
    }

    /// An attempt that was handed out cannot start yet: its key is another's, as the log knows.
    pub(super) fn put_off(&mut self, message: JobMessage, pause: Duration) {
        if self.is_handed_out(message) {
            let until = self.now.unwrap_or(OffsetDateTime::UNIX_EPOCH) + pause;
            self.wait(message.job_id, Due::At(until), |losses| losses);
        }
    }

    /// Whether an attempt is handed out and not started.
    pub(super) fn is_handed_out(&self, message: JobMessage) -> bool {
        let entry = self.jobs.get(&message.job_id);
        entry.is_some_and(|entry| entry.state == State::HandedOut && entry.attempt + 1 == message.attempt)
    }

    /// An attempt that was handed out is to be handed out again.
    pub(super) fn give_back(&mut self, message: JobMessage) {
        if self.is_handed_out(message) {
            self.enter(message.job_id, State::Ready);
        }
    }

    /// The workers that run anything.
    pub(super) fn workers(&self) -> impl Iterator<Item = Uuid> {
        self.workers.keys().copied()
    }

    /// What a worker runs.
    pub(super) fn held_by(&self, worker_id: Uuid) -> Vec<Held> {
        let ids = self.workers.get(&worker_id).into_iter().flatten();
        ids.filter_map(|job_id| {
            let entry = self.jobs.get(job_id)?;
            Some(Held { job_id: *job_id, attempt: entry.attempt, losses: entry.losses })
        })
        .collect()
    }

    /// A worker has a job.
    fn start(&mut self, job_id: Uuid, worker_id: Uuid) {
        let Some(entry) = self.jobs.get_mut(&job_id) else { return };
        if entry.state == State::HandedOut {
            // It has its turn, and is through its gates.
            entry.state = State::Running { worker_id };
            self.workers.entry(worker_id).or_default().insert(job_id);
        } else {
            self.enter(job_id, State::Running { worker_id });
        }
    }

    /// Moves a job to a state.
    fn enter(&mut self, job_id: Uuid, state: State) {
        let gates = self.leave(job_id);
        self.place(job_id, state);
        self.let_in(&gates);
    }

    /// Puts a job that is in no state into one.
    fn place(&mut self, job_id: Uuid, state: State) {
        let Some(entry) = self.jobs.get_mut(&job_id) else { return };
        entry.state = state;
        match state {
            State::Due => drop(self.due.insert((entry.due_at, job_id))),
            State::Ready => self.ready[entry.pool].push(&entry.owner, entry.rank(job_id)),
            State::Held { at } => self.gates.wait(at, entry.pool, &entry.owner, entry.rank(job_id)),
            State::HandedOut | State::Running { .. } => {
                self.ready[entry.pool].begin(&entry.owner);
                self.at_work[entry.pool] += 1;
                self.gates.count(&entry.gates);
                if let State::Running { worker_id } = state {
                    self.workers.entry(worker_id).or_default().insert(job_id);
                }
            }
        }
    }

    /// Takes a job out of the state that it is in: it is in none then. Returns the gates where others may be let in.
    fn leave(&mut self, job_id: Uuid) -> Box<[Gate]> {
        let none = Box::default();
        let Some(entry) = self.jobs.get_mut(&job_id) else { return none };
        let state = std::mem::replace(&mut entry.state, State::Due);
        match state {
            State::Due => {
                self.due.remove(&(entry.due_at, job_id));
                return none;
            }
            State::Held { at } => {
                self.gates.forget(at, entry.pool, &entry.owner, &entry.rank(job_id));
                return none;
            }
            // It may have been let in where others wait.
            State::Ready => self.ready[entry.pool].remove(&entry.owner, &entry.rank(job_id)),
            State::HandedOut | State::Running { .. } => {
                self.ready[entry.pool].end(&entry.owner);
                self.at_work[entry.pool] -= 1;
                self.gates.leave(&entry.gates);
            }
        }
        if let State::Running { worker_id } = state
            && let Some(held) = self.workers.get_mut(&worker_id)
        {
            held.remove(&job_id);
            if held.is_empty() {
                self.workers.remove(&worker_id);
            }
        }
        if self.gates.hold_any() { entry.gates.clone() } else { none }
    }

    fn remove(&mut self, job_id: Uuid) {
        let gates = self.leave(job_id);
        if let Some(entry) = self.jobs.remove(&job_id) {
            self.leave_owners(job_id, &entry.subject);
        }
        self.let_in(&gates);
    }

    fn leave_owners(&mut self, job_id: Uuid, subject: &Subject) {
        for owner in subject.owners() {
            if let Some(of_owner) = self.of_owner.get_mut(&owner) {
                of_owner.remove(&job_id);
                if of_owner.is_empty() {
                    self.of_owner.remove(&owner);
                }
            }
        }
    }
}
