//! One batch: the requests that commit together. Which may share one, what the append statement is asked, and whom its answer
//! concerns.
//!
//! Requests on one aggregate may follow each other within a batch, each expecting the sequence that the one before it leaves.
//! The statement checks the first expectation of each aggregate; the rest follows from the order.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    AppendError, AppendRequest,
    heads::{Heads, Key},
    settlement::{Settled, Settlement},
    writer::Pending,
};

/// Whether a request may join a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Joins,
    /// It has to wait for another batch.
    Waits,
    /// It relies on what is no longer so.
    Conflicts,
}

/// Requests that commit together, in this order.
#[derive(Default)]
pub(super) struct Batch {
    pendings: Vec<Pending>,
    /// Where each aggregate that a request names has to stand before the batch.
    expected: HashMap<Key, i64>,
    /// Where the batch leaves each aggregate that it writes.
    reached: HashMap<Key, i64>,
    receipts: HashSet<(Uuid, String)>,
    events: usize,
}

impl Batch {
    pub(super) fn of(pendings: Vec<Pending>) -> Self {
        let mut batch = Self::default();
        for pending in pendings {
            batch.join(pending);
        }
        batch
    }

    pub(super) fn events(&self) -> usize {
        self.events
    }

    pub(super) fn len(&self) -> usize {
        self.pendings.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pendings.is_empty()
    }

    pub(super) fn pendings(&self) -> &[Pending] {
        &self.pendings
    }

    pub(super) fn into_pendings(self) -> Vec<Pending> {
        self.pendings
    }

    pub(super) fn admission(&self, pending: &Pending) -> Admission {
        let request = &pending.request;
        for settlement in &request.depends_on {
            match settlement.state() {
                Settled::Committed => {}
                Settled::Failed => return Admission::Conflicts,
                Settled::NotYet if self.has(settlement) => {}
                Settled::NotYet => return Admission::Waits,
            }
        }
        for expected in request.expectations() {
            let key = (expected.aggregate_type, expected.aggregate_id);
            match (self.reached.get(&key), self.expected.get(&key)) {
                (Some(reached), _) if expected.sequence < *reached => return Admission::Conflicts,
                (Some(reached), _) if expected.sequence > *reached => return Admission::Waits,
                (None, Some(other)) if expected.sequence != *other => return Admission::Waits,
                _ => {}
            }
        }
        let receipt = request.receipt.as_ref().map(|receipt| (receipt.principal, receipt.key.clone()));
        if receipt.is_some_and(|receipt| self.receipts.contains(&receipt)) {
            return Admission::Waits;
        }
        Admission::Joins
    }

    fn has(&self, settlement: &Settlement) -> bool {
        // What it depends on has joined a moment ago, if at all.
        self.pendings.iter().rev().any(|pending| pending.settlement.is(settlement))
    }

    pub(super) fn join(&mut self, pending: Pending) {
        let request = &pending.request;
        for expected in request.expectations() {
            let key = (expected.aggregate_type, expected.aggregate_id);
            if !self.reached.contains_key(&key) {
                self.expected.insert(key, expected.sequence);
            }
        }
        for stream in &request.streams {
            let Expectation { key, after, .. } = Expectation::of(stream);
            self.reached.insert(key, after);
        }
        self.receipts.extend(request.receipt.as_ref().map(|receipt| (receipt.principal, receipt.key.clone())));
        self.events += request.event_count();
        self.pendings.push(pending);
    }

    /// Answers those whom the obstacles concern, and those who built on them; the rest is a batch again.
    pub(super) fn without(self, obstacles: &Obstacles) -> Self {
        let mut moved: HashSet<Key> = obstacles.aggregates.iter().copied().collect();
        let mut rest = Vec::with_capacity(self.pendings.len());
        for pending in self.pendings {
            let receipt = pending.request.receipt.as_ref().map(|receipt| (receipt.principal, receipt.key.clone()));
            let is_repeated = receipt.is_some_and(|receipt| obstacles.receipts.contains(&receipt));
            let touches = |key| moved.contains(&key);
            let relies_on_moved = pending.request.expectations().any(|e| touches((e.aggregate_type, e.aggregate_id)));
            let has_failed = |settlement: &Settlement| settlement.state() == Settled::Failed;
            let relies_on_failed = pending.request.depends_on.iter().any(has_failed);
            if !is_repeated && !relies_on_moved && !relies_on_failed {
                rest.push(pending);
                continue;
            }
            // What it would have written did not move either.
            moved.extend(pending.request.streams.iter().map(|stream| Expectation::of(stream).key));
            pending.answer(Err(if is_repeated { AppendError::ReceiptExists } else { AppendError::Conflict }));
        }
        Self::of(rest)
    }

    /// The arguments of the append statement.
    pub(super) fn columns(&self, heads: &Heads, generation: u64) -> Columns<'_> {
        Columns::of(self.pendings.iter().map(|pending| &pending.request), &self.expected, heads, generation)
    }

    /// The aggregates that the batch writes.
    pub(super) fn written(&self) -> impl Iterator<Item = Key> {
        self.reached.keys().copied()
    }

    /// Where the batch leaves the aggregates that it names.
    pub(super) fn sequences(&self) -> impl Iterator<Item = (Key, i64)> {
        let of = |(key, expected): (&Key, &i64)| (*key, self.reached.get(key).copied().unwrap_or(*expected));
        self.expected.iter().map(of)
    }
}

/// A stream's aggregate, and where the request leaves it.
struct Expectation {
    key: Key,
    after: i64,
}

impl Expectation {
    fn of(stream: &super::StreamAppend) -> Self {
        let expected = &stream.expected;
        let events = i64::try_from(stream.events.len()).unwrap_or_default();
        Self { key: (expected.aggregate_type, expected.aggregate_id), after: expected.sequence + events }
    }
}

/// What stands in the way of a batch.
#[derive(Default)]
pub(super) struct Obstacles {
    /// Aggregates that are not where the batch expects them.
    pub(super) aggregates: Vec<Key>,
    /// Receipts that exist.
    pub(super) receipts: HashSet<(Uuid, String)>,
}

/// The arguments of the append statement, a column each.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) known_head: i64,
    pub(super) known_checks: i32,
    pub(super) checks: Vec<Key>,
    pub(super) check_type: Vec<&'a str>,
    pub(super) check_id: Vec<String>,
    pub(super) check_sequence: Vec<i64>,
    pub(super) feed_id: Vec<Uuid>,
    pub(super) feed_place: Vec<i64>,
    pub(super) feed_events: Vec<i32>,
    pub(super) event_id: Vec<Uuid>,
    pub(super) event_feed: Vec<i32>,
    pub(super) event_feed_offset: Vec<i32>,
    pub(super) aggregate_type: Vec<&'a str>,
    pub(super) aggregate_id: Vec<String>,
    pub(super) sequence: Vec<i64>,
    pub(super) event_type: Vec<&'a str>,
    pub(super) event_version: Vec<&'a str>,
    pub(super) payload: Vec<&'a str>,
    pub(super) metadata: Vec<&'a str>,
    pub(super) principal: Vec<Uuid>,
    pub(super) key: Vec<&'a str>,
    pub(super) fingerprint: Vec<&'a [u8]>,
    pub(super) status: Vec<i16>,
    pub(super) headers: Vec<&'a str>,
    pub(super) body: Vec<&'a str>,
    pub(super) receipt_event_offset: Vec<i32>,
}

/// Counts are bounded by the batch size, far below `i32::MAX`.
fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl<'a> Columns<'a> {
    /// The columns of a single request.
    pub(super) fn of_one(request: &'a AppendRequest, heads: &Heads, generation: u64) -> Self {
        let expected = request.expectations().map(|e| ((e.aggregate_type, e.aggregate_id), e.sequence)).collect();
        Self::of(std::iter::once(request), &expected, heads, generation)
    }

    fn of(
        requests: impl Iterator<Item = &'a AppendRequest>,
        expected: &HashMap<Key, i64>,
        heads: &Heads,
        generation: u64,
    ) -> Self {
        let mut columns = Self::default();
        let mut feeds: HashMap<Uuid, usize> = HashMap::new();
        for request in requests {
            columns.add(request, &mut feeds);
        }
        let view = heads.view(generation);
        columns.known_head = view.head();
        columns.feed_place = columns.feed_id.iter().map(|feed| view.feed(*feed).unwrap_or(-1)).collect();
        let (known, unknown): (Vec<_>, Vec<_>) =
            expected.iter().partition(|(key, sequence)| view.sequence(**key) == Some(**sequence));
        drop(view);
        columns.known_checks = small(known.len());
        for (key, sequence) in known.into_iter().chain(unknown) {
            columns.checks.push(*key);
            columns.check_type.push(key.0);
            columns.check_id.push(key.1.to_string());
            columns.check_sequence.push(*sequence);
        }
        columns
    }

    fn add(&mut self, request: &'a AppendRequest, feeds: &mut HashMap<Uuid, usize>) {
        for stream in &request.streams {
            let aggregate_id = stream.expected.aggregate_id.to_string();
            let feed = *feeds.entry(stream.feed_id).or_insert_with(|| {
                self.feed_id.push(stream.feed_id);
                self.feed_events.push(0);
                self.feed_id.len() - 1
            });
            for (sequence, event) in (stream.expected.sequence + 1..).zip(&stream.events) {
                self.feed_events[feed] += 1;
                self.event_id.push(event.event_id);
                self.event_feed.push(small(feed + 1));
                self.event_feed_offset.push(self.feed_events[feed]);
                self.aggregate_type.push(stream.expected.aggregate_type);
                self.aggregate_id.push(aggregate_id.clone());
                self.sequence.push(sequence);
                self.event_type.push(&event.event_type);
                self.event_version.push(&event.event_version);
                self.payload.push(&event.payload);
                self.metadata.push(&event.metadata);
            }
        }
        if let Some(receipt) = &request.receipt {
            self.principal.push(receipt.principal);
            self.key.push(&receipt.key);
            self.fingerprint.push(&receipt.fingerprint);
            self.status.push(i16::try_from(receipt.status).unwrap_or(i16::MAX));
            self.headers.push(&receipt.headers);
            self.body.push(&receipt.body);
            self.receipt_event_offset.push(small(self.event_id.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_store::{Expected, NewEvent, StreamAppend};

    fn request(writes: &[(u128, i64)], relies_on: &[(u128, i64)]) -> AppendRequest {
        let expected = |(id, sequence): &(u128, i64)| Expected {
            aggregate_type: "thing",
            aggregate_id: Uuid::from_u128(*id),
            sequence: *sequence,
        };
        let event = NewEvent {
            event_id: Uuid::nil(),
            event_type: String::new(),
            event_version: String::new(),
            payload: String::new(),
            metadata: String::new(),
        };
        AppendRequest {
            streams: writes
                .iter()
                .map(|at| StreamAppend { expected: expected(at), feed_id: Uuid::nil(), events: vec![event.clone()] })
                .collect(),
            guards: relies_on.iter().map(expected).collect(),
            ..AppendRequest::default()
        }
    }

    fn pending(request: AppendRequest) -> Pending {
        Pending::new(request).0
    }

    fn join(batch: &mut Batch, request: AppendRequest) -> Admission {
        let pending = pending(request);
        let admission = batch.admission(&pending);
        if admission == Admission::Joins {
            batch.join(pending);
        }
        admission
    }

    #[test]
    fn requests_on_one_aggregate_follow_each_other() {
        let mut batch = Batch::default();
        assert_eq!(join(&mut batch, request(&[(1, 5)], &[(9, 3)])), Admission::Joins);
        assert_eq!(join(&mut batch, request(&[(1, 6)], &[(9, 3)])), Admission::Joins);
        assert_eq!(join(&mut batch, request(&[(1, 6)], &[])), Admission::Conflicts, "somebody was first");
        assert_eq!(join(&mut batch, request(&[(1, 9)], &[])), Admission::Waits, "somebody is missing");
        assert_eq!(join(&mut batch, request(&[(9, 3)], &[])), Admission::Joins, "a guard may move behind its users");
        assert_eq!(join(&mut batch, request(&[(2, 0)], &[(9, 3)])), Admission::Conflicts);
        assert_eq!(join(&mut batch, request(&[(2, 0)], &[(9, 4)])), Admission::Joins);
        let heads = Heads::default();
        let columns = batch.columns(&heads, 1);
        let mut checks: Vec<_> = columns.checks.iter().map(|key| key.1.as_u128()).zip(columns.check_sequence).collect();
        checks.sort_unstable();
        assert_eq!(
            checks,
            [(1, 5), (2, 0), (9, 3)],
            "each aggregate is checked once, where it stands before the batch"
        );
        assert_eq!(columns.sequence, [6, 7, 4, 1]);
    }

    #[test]
    fn whoever_built_on_an_obstructed_request_fails_with_it() {
        let mut batch = Batch::default();
        for (writes, relies_on) in [
            (vec![(1, 0)], vec![(7, 2)]),
            (vec![(2, 0)], vec![]),
            (vec![(1, 1)], vec![]),
            (vec![(3, 0)], vec![(1, 2)]),
            (vec![(4, 0)], vec![(8, 1)]),
        ] {
            assert_eq!(join(&mut batch, request(&writes, &relies_on)), Admission::Joins);
        }
        let obstacles = Obstacles { aggregates: vec![("thing", Uuid::from_u128(7))], receipts: HashSet::new() };
        let rest = batch.without(&obstacles);
        let left: Vec<_> =
            rest.pendings().iter().map(|pending| pending.request.streams[0].expected.aggregate_id.as_u128()).collect();
        assert_eq!(left, [2, 4]);
    }

    #[test]
    fn a_request_joins_only_with_what_it_depends_on() {
        let (first, _answer) = Pending::new(request(&[(1, 0)], &[]));
        let dependent =
            |on: &Settlement| pending(AppendRequest { depends_on: vec![on.clone()], ..request(&[(1, 1)], &[]) });
        let second = dependent(&first.settlement);
        let mut batch = Batch::default();
        assert_eq!(batch.admission(&second), Admission::Waits);
        let settlement = first.settlement.clone();
        batch.join(first);
        assert_eq!(batch.admission(&second), Admission::Joins);
        settlement.settle(Settled::Failed);
        assert_eq!(Batch::default().admission(&dependent(&settlement)), Admission::Conflicts);
    }
}
