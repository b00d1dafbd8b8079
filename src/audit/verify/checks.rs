//! The events of a file: each for itself, in its order, and all together against what was signed.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    organization_projects::OrganizationProjects,
    organization_slug::OrganizationSlug,
    redaction::{ADDRESS, DIGEST, PAYLOAD_REDACTED, PLACEHOLDER, TEXTS, tombstone},
};
use workroom_proofs::{hash::Hash, tree::cover};

use super::{Failure, Place, Report, judge::Judge, opening::Opening};
use crate::audit::{
    access::Violation,
    export::{Buffers, End, EventLine, Tie, read_hashes},
};

/// Aggregates whose events are in several feeds: their sequences have gaps in each.
const ACROSS_FEEDS: [&str; 2] = [OrganizationSlug::TYPE, OrganizationProjects::TYPE];

/// Checks the events of a file, one by one.
pub(super) struct Checks<'v> {
    opening: Opening,
    buffers: Buffers,
    judge: Judge,
    violations: Option<&'v mut Vec<Violation>>,
    /// The last event.
    last: Option<(i64, OffsetDateTime)>,
    /// The last place of each feed, where all of them are complete.
    places: HashMap<Uuid, i64>,
    /// The last event of each stream, by aggregate type.
    sequences: HashMap<String, HashMap<u128, i64>>,
    /// Events whose payload was taken out, by position, until it is said by whom.
    unexplained: BTreeMap<i64, Tombstone>,
    events: u64,
    context: u64,
    redacted: u64,
}

/// An event whose payload was taken out: what a later event of its stream has to say of it.
struct Tombstone {
    place: Place,
    feed_id: Uuid,
    stream: (String, u128),
    event_type: String,
    /// The hash of what is left of the payload.
    remains: String,
}

impl Tombstone {
    fn of(event: &EventLine<'_>, place: Place) -> Self {
        Self {
            place,
            feed_id: event.feed_id,
            stream: (event.aggregate_type.to_string(), stream(&event.aggregate_id)),
            event_type: event.event_type.to_string(),
            remains: Hash::of(event.data.as_bytes()).to_string(),
        }
    }

    /// Whether this event, which names its position, is about it.
    fn is_meant_by(&self, event: &EventLine<'_>, named: &Redaction) -> bool {
        self.feed_id == event.feed_id
            && self.stream.0 == event.aggregate_type
            && self.stream.1 == stream(&event.aggregate_id)
            && self.place.event_id == named.event_id
            && self.event_type == named.event_type
    }
}

/// Whether the data is what a redaction leaves: of a type that holds texts, with placeholders for all of them. What decides rights
/// stands in no such type, so nobody can forge it as a tombstone.
fn is_tombstone(event: &EventLine<'_>) -> bool {
    let digest = hex::encode(DIGEST.0);
    TEXTS.iter().any(|(event_type, _)| *event_type == event.event_type)
        && [PLACEHOLDER, ADDRESS, digest.as_str()].iter().any(|placeholder| event.data.contains(placeholder))
        && matches!(tombstone(&event.event_type, &event.data, event.position), Ok(None))
}

/// What the event about a redaction says.
#[derive(Deserialize)]
struct Redaction {
    position: i64,
    event_id: Uuid,
    event_type: String,
    remains: String,
}

impl<'v> Checks<'v> {
    pub(super) fn new(opening: Opening, violations: Option<&'v mut Vec<Violation>>) -> Result<Self, Failure> {
        let judge = Judge::new(opening.after == 0);
        let mut checks = Self {
            opening,
            buffers: Buffers::default(),
            judge,
            violations,
            last: None,
            places: HashMap::new(),
            sequences: HashMap::new(),
            unexplained: BTreeMap::new(),
            events: 0,
            context: 0,
            redacted: 0,
        };
        checks.passes_older()?;
        Ok(checks)
    }

    /// Checks the next event.
    pub(super) fn event(&mut self, line: &str) -> Result<(), Failure> {
        let mut buffers = std::mem::take(&mut self.buffers);
        let number = self.events + 1;
        let checked = match EventLine::parse(line, &mut buffers) {
            Ok(event) => self.checked(&event),
            Err(why) => Err(Failure::of_file(format!("event {number} of the file is not as it has to be: {why}"))),
        };
        self.buffers = buffers;
        checked
    }

    fn checked(&mut self, event: &EventLine<'_>) -> Result<(), Failure> {
        let place = Place { position: event.position, feed_seq: event.feed_seq, event_id: event.event_id };
        let in_full = self.in_order(event).map_err(|why| Failure::at(place, why))?;
        let leaf = self.leaf(event).map_err(|why| Failure::at(place, why))?;
        self.append(event.position.unsigned_abs() - 1, &event.skipped).map_err(|why| Failure::at(place, why))?;
        self.opening.log.push(leaf);
        self.passes_older()?;
        if let Some(feed) = self.opening.feeds.get_mut(&event.feed_id) {
            feed.frontier.push(leaf);
        }
        self.redaction(event, place)?;
        self.events += 1;
        if !in_full {
            self.context += 1;
            self.opening.context.push(leaf);
        }
        let violation = self.judge.take(event, in_full).map_err(|why| Failure::at(place, why))?;
        match (violation, self.violations.as_deref_mut()) {
            (None, _) => Ok(()),
            (Some(violation), Some(violations)) => {
                violations.push(violation);
                Ok(())
            }
            (Some(Violation { event_type, actor, reason, .. }), None) => {
                Err(Failure::at(place, format!("{event_type} by {actor} was not allowed: {reason}")))
            }
        }
    }

    /// Whether the event is where it has to be; the answer is whether its feed is in the file completely.
    fn in_order(&mut self, event: &EventLine<'_>) -> Result<bool, String> {
        if event.log_id != self.opening.log_id {
            return Err("it is of another log".to_owned());
        }
        if event.position.unsigned_abs() > self.opening.checkpoint.size {
            return Err("it lies behind the end of the log that the checkpoint signs".to_owned());
        }
        if event.position.unsigned_abs() <= self.opening.log.size() {
            return Err("it does not stand behind the event before it".to_owned());
        }
        if let Some((position, time)) = self.last
            && event.recorded_at < time
        {
            return Err(format!("it was recorded before the event at position {position}"));
        }
        self.last = Some((event.position, event.recorded_at));
        let resumed = self.opening.after > 0;
        let is_all = self.opening.scope.is_all();
        let expected = if is_all {
            let before = self.places.insert(event.feed_id, event.feed_seq);
            // Where the file begins in the middle, so may the feeds.
            let first = if resumed { event.feed_seq } else { 1 };
            Some(before.map_or(first, |before| before.saturating_add(1)))
        } else {
            let feed = self.opening.feeds.get(&event.feed_id);
            feed.map(|feed| i64::try_from(feed.frontier.size()).unwrap_or(i64::MAX).saturating_add(1))
        };
        if expected.is_some_and(|expected| expected != event.feed_seq) {
            return Err(format!("its feed has a gap: place {} was to come", expected.unwrap_or_default()));
        }
        self.in_stream(event, expected.is_some(), is_all, resumed)?;
        Ok(expected.is_some())
    }

    /// Whether the event follows the one before it in its aggregate's stream.
    fn in_stream(&mut self, event: &EventLine<'_>, in_full: bool, is_all: bool, resumed: bool) -> Result<(), String> {
        let is_gapless = is_all || !ACROSS_FEEDS.contains(&event.aggregate_type.as_ref());
        let streams = match self.sequences.get_mut(event.aggregate_type.as_ref()) {
            Some(streams) => streams,
            None => self.sequences.entry(event.aggregate_type.to_string()).or_default(),
        };
        let before = streams.insert(stream(&event.aggregate_id), event.sequence);
        let follows = match before {
            Some(before) if is_gapless && in_full => event.sequence == before.saturating_add(1),
            Some(before) => event.sequence > before,
            None => event.sequence == 1 || resumed || !is_gapless || !in_full,
        };
        if follows { Ok(()) } else { Err(format!("it does not follow in the stream of {}", event.aggregate_id)) }
    }

    fn leaf(&self, event: &EventLine<'_>) -> Result<Hash, String> {
        let epochs = &self.opening.epochs;
        let began = epochs.partition_point(|epoch| epoch.first_position <= event.position);
        let epoch = began.checked_sub(1).and_then(|index| epochs.get(index)).ok_or("it lies in no epoch")?;
        let leaf = event.hash(epoch.epoch)?;
        if leaf == event.leaf {
            Ok(leaf)
        } else {
            Err("it is not what was hashed: something of it was changed".to_owned())
        }
    }

    /// Appends what is not in the file, up to a size of the log.
    fn append(&mut self, size: u64, skipped: &[Hash]) -> Result<(), String> {
        if self.opening.scope.is_all() && size > self.opening.log.size() {
            return Err("events are left out, of an export of everything".to_owned());
        }
        let missing = cover(self.opening.log.size()..size);
        if missing.len() != skipped.len() {
            return Err(format!(
                "between it and the event before it {} hashes stand for what is not in the file, and {} are needed",
                skipped.len(),
                missing.len()
            ));
        }
        for (subtree, hash) in missing.iter().zip(skipped) {
            self.opening.log.push_subtree(subtree.level, *hash).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Whether the log was what the older checkpoint says, once it is as large.
    fn passes_older(&mut self) -> Result<(), Failure> {
        match self.opening.passes {
            Some((size, root)) if size == self.opening.log.size() => {
                self.opening.passes = None;
                if self.opening.log.root() == root {
                    Ok(())
                } else {
                    Err(Failure::of_file(format!("what the log had at its first {size} events was changed since")))
                }
            }
            _ => Ok(()),
        }
    }

    /// Notes what was taken out, and who said so. What is left of a payload is tied to the log by that alone.
    fn redaction(&mut self, event: &EventLine<'_>, place: Place) -> Result<(), Failure> {
        if let Tie::Commitment(_) = event.tie {
            if !is_tombstone(event) {
                return Err(Failure::at(place, "its payload was taken out, and what is left of it is no tombstone"));
            }
            self.redacted += 1;
            self.unexplained.insert(event.position, Tombstone::of(event, place));
            return Ok(());
        }
        if event.event_type != PAYLOAD_REDACTED {
            return Ok(());
        }
        // One that cannot be read explains nothing, as one that names what is not in the file.
        let Ok(named) = serde_json::from_str::<Redaction>(&event.data) else { return Ok(()) };
        let Some(left) = self.unexplained.get(&named.position).filter(|left| left.is_meant_by(event, &named)) else {
            return Ok(());
        };
        if left.remains != named.remains {
            return Err(Failure::at(left.place, "its data is not what was left of it when its payload was taken out"));
        }
        self.unexplained.remove(&named.position);
        Ok(())
    }

    /// The file ends without its last line.
    pub(super) fn cut(&self) -> Failure {
        let reached = self.last.map_or(self.opening.after, |(position, _)| position.unsigned_abs());
        Failure::of_file(format!(
            "the file was cut: its last line is missing. It is whole up to position {reached}; the rest can be exported \
             with --after {reached}"
        ))
    }

    /// Checks the last line, and all that was read against what was signed.
    pub(super) fn end(&mut self, line: &str) -> Result<Report, Failure> {
        let end: End = serde_json::from_str(line)
            .map_err(|error| Failure::of_file(format!("the last line cannot be read: {error}")))?;
        if !end.end || serde_json::to_string(&end).ok().as_deref() != Some(line) {
            return Err(Failure::of_file("the last line is not in the one form that it has in an export"));
        }
        if end.events != self.events.to_string() {
            return Err(Failure::of_file(format!(
                "the last line says that the file has {} events, and it has {}",
                end.events, self.events
            )));
        }
        let rest = end.skipped.as_deref().map(read_hashes).transpose().map_err(Failure::of_file)?.unwrap_or_default();
        self.append(self.opening.checkpoint.size, &rest)
            .map_err(|why| Failure::of_file(format!("the last line does not tell the rest of the log: {why}")))?;
        self.passes_older()?;
        if self.opening.passes.is_some() {
            return Err(Failure::of_file("nothing leads from the older checkpoint to what is in the file"));
        }
        let context = format!("context {} {}", self.opening.context.size(), self.opening.context.root().to_base64());
        if context != self.opening.seal {
            return Err(Failure::of_file(
                "the events of other feeds, which tell who was who, are not those that were signed",
            ));
        }
        for (feed_id, feed) in &self.opening.feeds {
            let (has, signed) = (feed.frontier.size(), feed.checkpoint.size);
            if has != signed {
                return Err(Failure::of_file(format!(
                    "feed {feed_id} is not complete: the file has it up to place {has}, and {signed} are signed"
                )));
            }
            if feed.frontier.root() != feed.checkpoint.root {
                return Err(Failure::of_file(format!(
                    "the events of feed {feed_id} are not those that were signed: at least one was changed"
                )));
            }
        }
        if self.opening.log.root() != self.opening.checkpoint.root {
            return Err(Failure::of_file(
                "what is in the file is not the log that was signed: at least one event, or what stands for those that \
                 are not in the file, was changed",
            ));
        }
        if let Some(left) = self.unexplained.values().next() {
            return Err(Failure::at(left.place, "its payload was taken out, and no event of its stream says by whom"));
        }
        Ok(self.report())
    }

    fn report(&self) -> Report {
        let opening = &self.opening;
        Report {
            log_id: opening.log_id,
            scope: opening.scope,
            after: opening.after,
            events: self.events,
            context: self.context,
            redacted: self.redacted,
            projects: self.judge.projects(),
            size: opening.checkpoint.size,
            root: opening.checkpoint.root,
            own_keys: opening.own_keys,
            signed_by: opening.signed_by.clone(),
            older: opening.older,
            judged: self.judge.judges,
            unjudged: self.judge.unjudged,
        }
    }
}

/// What a stream is known by: its aggregate's id, or a hash of that if it is no UUID.
fn stream(aggregate_id: &str) -> u128 {
    Uuid::try_parse(aggregate_id).map_or_else(
        |_| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&Hash::leaf(aggregate_id.as_bytes()).0[..16]);
            u128::from_be_bytes(bytes)
        },
        |id| id.as_u128(),
    )
}
