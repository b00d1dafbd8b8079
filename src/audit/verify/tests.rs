use std::io::Write as _;

use time::{Duration, macros::datetime};
use workroom_proofs::{
    checkpoint::{Checkpoint, export_origin, feed_origin, origin},
    frontier::Frontier,
    note::Signer,
    tree::cover,
};

use super::*;
use crate::audit::export::{Consistency, End, EpochHead, EventLine, FORMAT, FeedHead, Header, Tie, written_hashes};

const LOG: Uuid = Uuid::from_u128(1);
const EPOCH: Uuid = Uuid::from_u128(2);
/// Events of the odd positions are in this feed, the others in another.
const FEED: Uuid = Uuid::from_u128(3);

fn signer() -> Signer {
    Signer::from_seed(&origin(LOG), &[7; 32]).unwrap()
}

/// Another key of the same log.
fn rotated() -> Signer {
    Signer::from_seed(&origin(LOG), &[8; 32]).unwrap()
}

fn event(position: i64, feed_id: Uuid, feed_seq: i64) -> EventLine<'static> {
    EventLine {
        event_id: Uuid::from_u128(1000 + u128::from(position.unsigned_abs())),
        log_id: LOG,
        event_type: "ThingHappened".into(),
        aggregate_type: "thing".into(),
        aggregate_id: feed_id.to_string().into(),
        recorded_at: datetime!(2026-11-23 10:00 UTC) + Duration::seconds(position),
        position,
        feed_id,
        feed_seq,
        sequence: feed_seq,
        event_version: "1".into(),
        metadata: r#"{"actor":"system:worker"}"#.into(),
        leaf: Hash::EMPTY,
        tie: Tie::Salt([u8::try_from(position).unwrap(); 16]),
        skipped: vec![],
        data: format!(r#"{{"type":"ThingHappened","number":{position}}}"#).into(),
    }
}

/// A log of so many events.
fn log(size: i64) -> Vec<EventLine<'static>> {
    let feed = |position: i64| if position % 2 == 1 { FEED } else { Uuid::from_u128(4) };
    (1..=size).map(|position| event(position, feed(position), (position + 1) / 2)).collect()
}

fn hashes(log: &[EventLine<'_>], from: u64, to: u64) -> Vec<Hash> {
    let leaf = |index: u64| log[usize::try_from(index).unwrap()].hash(EPOCH).unwrap();
    let cover = if from < to { cover(from..to) } else { vec![] };
    let root = |subtree: workroom_proofs::tree::Subtree| {
        let mut tree = Frontier::new();
        (subtree.index << subtree.level..(subtree.index + 1) << subtree.level).for_each(|index| tree.push(leaf(index)));
        tree.root()
    };
    cover.into_iter().map(root).collect()
}

fn root(leaves: impl Iterator<Item = Hash>) -> (u64, Hash) {
    let mut tree = Frontier::new();
    leaves.for_each(|leaf| tree.push(leaf));
    (tree.size(), tree.root())
}

fn note_of(signer: &Signer, origin: String, (size, root): (u64, Hash), extensions: Vec<String>) -> String {
    signer.sign(&Checkpoint { origin, size, root, extensions }.to_string()).unwrap()
}

fn checkpoint(log: &[EventLine<'_>]) -> String {
    checkpoint_of(&signer(), log)
}

fn checkpoint_of(signer: &Signer, log: &[EventLine<'_>]) -> String {
    note_of(signer, origin(LOG), root(log.iter().map(|event| event.hash(EPOCH).unwrap())), vec![])
}

/// The export of a log's odd events, or of all, behind a position.
fn export(log: &[EventLine<'static>], scope: Scope, after: u64, consistency: Option<Consistency>) -> String {
    Asked { after, consistency, ..Asked::of(scope) }.export(log)
}

/// What an export is to be like.
struct Asked<'a> {
    scope: Scope,
    after: u64,
    consistency: Option<Consistency>,
    /// The keys in the header.
    keys: Vec<Verifier>,
    /// Who signs all of it.
    signer: Signer,
    /// The positions of events of the other feed: those that are signed, and those that are in the file.
    context: [&'a [i64]; 2],
}

impl Asked<'_> {
    fn of(scope: Scope) -> Self {
        let keys = vec![signer().verifier()];
        Self { scope, after: 0, consistency: None, keys, signer: signer(), context: [&[], &[]] }
    }

    fn export(self, log: &[EventLine<'static>]) -> String {
        let Self { scope, after, consistency, keys, signer, context: [sealed, told] } = self;
        let size = log.len() as u64;
        let of_feed: Vec<_> = log.iter().filter(|event| event.feed_id == FEED).cloned().collect();
        let before = of_feed.iter().filter(|event| event.position.unsigned_abs() <= after).count() as u64;
        let signed = root(of_feed.iter().map(|event| event.hash(EPOCH).unwrap()));
        let head = FeedHead {
            feed_id: FEED,
            after: before,
            checkpoint: note_of(&signer, feed_origin(LOG, FEED), signed, vec![format!("log {size}")]),
            frontier: (before > 0).then(|| hashes(&of_feed, 0, before)),
        };
        let mut header = Header {
            format: FORMAT.to_owned(),
            log_id: LOG,
            scope,
            from_position: (scope.is_all() || after > 0).then_some(after),
            exported_at: "2026-11-23T11:00:00.000000Z".to_owned(),
            keys: keys.iter().map(ToString::to_string).collect(),
            checkpoint: checkpoint_of(&signer, log),
            feeds: if scope.is_all() { vec![] } else { vec![head] },
            epochs: vec![EpochHead { first_position: 1, epoch: EPOCH }],
            frontier: (after > 0).then(|| hashes(log, 0, after)),
            consistency,
            signature: None,
        };
        let mut others = Frontier::new();
        let of_others = log.iter().filter(|event| sealed.contains(&event.position));
        of_others.for_each(|event| others.push(event.hash(EPOCH).unwrap()));
        let seal = header.seal(&others).unwrap();
        let whole = root(log.iter().map(|event| event.hash(EPOCH).unwrap()));
        header.signature = Some(note_of(&signer, export_origin(LOG), whole, seal));
        let mut out = serde_json::to_vec(&header).unwrap();
        out.push(b'\n');
        let (mut reached, mut events) = (after, 0);
        for event in log.iter().filter(|event| event.position.unsigned_abs() > after) {
            if scope.is_all() || event.feed_id == FEED || told.contains(&event.position) {
                let position = event.position.unsigned_abs();
                let leaf = event.hash(EPOCH).unwrap();
                let line = EventLine { leaf, skipped: hashes(log, reached, position - 1), ..event.clone() };
                line.write(&mut out).unwrap();
                (reached, events) = (position, events + 1);
            }
        }
        let rest = written_hashes(&hashes(log, reached, size));
        let end = End { end: true, events: events.to_string(), skipped: rest };
        serde_json::to_writer(&mut out, &end).unwrap();
        out.push(b'\n');
        String::from_utf8(out).unwrap()
    }
}

fn read(text: &str) -> Result<Report, Failure> {
    verify(text.as_bytes(), &Options::default())
}

#[track_caller]
fn refuted(text: &str, options: &Options, why: &str) -> Failure {
    let failure = verify(text.as_bytes(), options).unwrap_err();
    assert!(failure.to_string().contains(why), "{failure}");
    failure
}

const ALL: Scope = Scope::All(true);
const PART: Scope = Scope::Project(FEED);

#[test]
fn what_was_exported_holds() {
    for size in 1..20 {
        let log = log(size);
        for after in 0..=log.len() as u64 {
            for scope in [ALL, PART] {
                let text = export(&log, scope, after, None);
                let report = read(&text).unwrap_or_else(|failure| panic!("{size} {after}: {failure}\n{text}"));
                assert_eq!((report.size, report.after, report.own_keys), (log.len() as u64, after, true));
                assert_eq!(report.judged, after == 0);
            }
        }
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(export(&log(9), PART, 0, None).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(verify(packed.as_slice(), &Options::default()).unwrap().events, 5);
    let cut = verify(&packed[..packed.len() - 20], &Options::default()).unwrap_err();
    assert!(cut.to_string().contains("cut"), "{cut}");
}

#[test]
fn every_line_that_is_left_out_doubled_or_swapped_is_found() {
    for scope in [ALL, PART] {
        let text = export(&log(12), scope, 0, None);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let mut without = lines.clone();
            without.remove(at);
            assert!(read(&without.concat()).is_err(), "without {at}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at]);
            assert!(read(&doubled.concat()).is_err(), "twice {at}");
            let mut swapped = lines.clone();
            swapped.swap(at, (at + 1) % lines.len());
            assert!(read(&swapped.concat()).is_err(), "swapped {at}");
        }
    }
}

#[test]
fn every_byte_counts() {
    let text = export(&log(5), PART, 0, None);
    for at in 0..text.len() {
        for change in [1, 0x20] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= change;
            assert!(verify(bytes.as_slice(), &Options::default()).is_err(), "byte {at}: {}", bytes[at] as char);
        }
    }
    for cut in 0..text.len() {
        assert!(verify(&text.as_bytes()[..cut], &Options::default()).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_export_of_everything_leaves_nothing_out() {
    let (six, all) = (log(6), Scope::All(true));
    let text = export(&six, all, 0, None);
    let header = text.lines().next().unwrap();
    let whole = |from, events: &str, to: usize| {
        let skipped = written_hashes(&hashes(&six, from, 6));
        let end = End { end: true, events: events.to_owned(), skipped };
        let lines: Vec<&str> = text.lines().take(to).collect();
        format!("{}\n{}\n", lines.join("\n"), serde_json::to_string(&end).unwrap())
    };
    let older = Options { older: Some(checkpoint(&log(3))), ..Options::default() };
    for options in [&Options::default(), &older] {
        refuted(&whole(0, "0", 1), options, "left out");
        refuted(&whole(4, "4", 5), options, "left out");
        assert!(verify(text.as_bytes(), options).is_ok());
    }
    // What nobody signed is nothing.
    let unsigned = header.split(",\"signature\"").next().unwrap();
    refuted(&text.replacen(header, &format!("{unsigned}}}"), 1), &Options::default(), "not the one that was signed");
}

#[test]
fn each_failure_is_a_clear_sentence() {
    let none = Options::default();
    let twelve = log(12);
    let text = export(&twelve, PART, 0, None);
    refuted("", &none, "the file is empty");
    refuted("{}\n", &none, "no export of Workroom");
    refuted(&text.replacen("audit/1", "audit/0", 1), &none, "the format workroom.audit/0");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    refuted(&lines[..3].concat(), &none, "whole up to position 3; the rest can be exported with --after 3");
    for more in ["more", "more\n", "\nmore"] {
        assert!(refuted(&format!("{text}{more}"), &none, "stands behind the last line").place().is_none(), "{more:?}");
    }
    refuted(&format!("{text}\n"), &none, "an empty line stands behind the last line: whatever saved the file has");
    let place = refuted(&[lines[0], lines[2]].concat(), &none, "its feed has a gap: place 1 was to come").place();
    assert_eq!(place.unwrap().position, 3);

    let foreign = Options { keys: vec![rotated().verifier()], older: None };
    refuted(&text, &foreign, &another("the file", "the first one given"));
    let own = Options { keys: vec![signer().verifier()], older: None };
    let report = verify(text.as_bytes(), &own).unwrap();
    assert_eq!((report.own_keys, report.signed_by), (false, name_and_id(&signer())));
    let unsigned = Asked { keys: vec![rotated().verifier()], ..Asked::of(PART) }.export(&twelve);
    refuted(&unsigned, &none, "the checkpoint is signed by no key in the file: give the log's key with --key");
    refuted(&unsigned, &foreign, "the checkpoint is signed by no key that is given or in the file");
}

#[test]
fn a_file_goes_on_from_an_older_checkpoint_or_says_why_not() {
    let twelve = log(12);
    let older = |older: String| Options { keys: vec![], older: Some(older) };
    let five = older(checkpoint(&twelve[..5]));
    assert_eq!(verify(export(&twelve, ALL, 0, None).as_bytes(), &five).unwrap().older, Some(5));
    refuted(&export(&twelve, PART, 0, None), &five, "--consistency-from 5");
    refuted(&export(&twelve[..4], ALL, 0, None), &five, "rolled back");
    let proof = workroom_proofs::tree::consistency(5, 12).unwrap();
    let proof = proof.into_iter().map(|range| {
        let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        root(twelve[from..to].iter().map(|event| event.hash(EPOCH).unwrap())).1
    });
    let proof = Consistency { from: 5, hashes: proof.collect() };
    assert!(verify(export(&twelve, PART, 0, Some(proof.clone())).as_bytes(), &five).is_ok());

    let mut other = twelve.clone();
    other[1].data = r#"{"type":"ThingHappened","number":99}"#.into();
    let of_other = older(checkpoint(&other[..5]));
    refuted(&export(&twelve, ALL, 0, None), &of_other, "was changed since");
    refuted(&export(&twelve, PART, 0, Some(proof)), &of_other, "was changed since");
}

#[test]
fn a_checkpoint_that_cannot_be_compared_with_is_told_as_what_it_is() {
    let text = export(&log(12), ALL, 0, None);
    let whole = checkpoint(&log(5));
    let stranger = Uuid::from_u128(77);
    let its = Signer::from_seed(&origin(stranger), &[9; 32]).unwrap();
    let of_stranger = note_of(&its, origin(stranger), (5, Hash::EMPTY), vec![]);
    let both = |its: String| format!("is of another log or feed: of {its}, not of {}", origin(LOG));
    let of_feed = note_of(&signer(), feed_origin(LOG, FEED), (5, Hash::EMPTY), vec!["log 9".to_owned()]);
    // With keys and without: it is told before anybody asks who has signed it.
    for keys in [vec![], vec![signer().verifier()], vec![signer().verifier(), its.verifier()]] {
        let older = |older: &str| Options { keys: keys.clone(), older: Some(older.to_owned()) };
        refuted(&text, &older(&of_stranger), &both(origin(stranger)));
        refuted(&text, &older(&of_feed), &both(feed_origin(LOG, FEED)));
        for nothing in ["", "\n", " \n\n"] {
            refuted(&text, &older(nothing), "the older checkpoint is empty");
        }
        for other in ["{}\n", text.as_str(), whole.split("\n\n").next().unwrap(), &whole.replace('\n', "\r\n")] {
            refuted(&text, &older(other), "the older checkpoint cannot be read: not a signed note");
        }
        refuted(&text, &older(&whole.replacen("\n5\n", "\n6\n", 1)), "the older checkpoint does not hold");
        assert_eq!(verify(text.as_bytes(), &older(&whole)).unwrap().older, Some(5));
    }
}

/// What is said where another key has signed than the one that counts.
fn another(what: &str, than: &str) -> String {
    format!("{what} is signed by another key than {than}: after a rotation, give the current key first and the retired")
}

fn name_and_id(signer: &Signer) -> String {
    let verifier = signer.verifier();
    format!("{}+{:08x}", verifier.name(), verifier.key_id())
}

#[test]
fn after_a_rotation_the_retired_key_counts_for_the_older_checkpoint_alone() {
    let (new, old) = (signer().verifier(), rotated().verifier());
    let twelve = log(12);
    let older = Some(checkpoint_of(&rotated(), &twelve[..5]));
    let with = |keys: &[&Verifier]| Options { keys: keys.iter().copied().cloned().collect(), older: older.clone() };
    let keys = || vec![new.clone(), old.clone()];
    let text = Asked { keys: keys(), ..Asked::of(ALL) }.export(&twelve);
    let report = verify(text.as_bytes(), &with(&[&new, &old])).unwrap();
    assert_eq!((report.older, report.own_keys, report.signed_by), (Some(5), false, name_and_id(&signer())));
    // Whoever has the retired key can sign all of a file.
    for scope in [ALL, PART] {
        let stolen = Asked { keys: keys(), signer: rotated(), ..Asked::of(scope) }.export(&twelve);
        let without = Options { keys: keys(), older: None };
        for options in [&with(&[&new, &old]), &without] {
            let failure = refuted(&stolen, options, &another("the file", "the first one given"));
            assert!(failure.to_string().ends_with("if the key was not rotated, somebody else has signed it"));
        }
    }
    for wrong in [&with(&[&old, &new]), &with(&[&old])] {
        refuted(&text, wrong, &another("the file", "the first one given"));
    }
    refuted(&text, &with(&[&new]), &another("the older checkpoint", "those given"));
    refuted(&text, &with(&[]), &another("the file", "the older checkpoint"));
    let forgotten = export(&twelve, ALL, 0, None);
    refuted(&forgotten, &with(&[]), "the older checkpoint is signed by no key in the file: give the log's key");
}

#[test]
fn a_signature_that_was_added_to_the_older_checkpoint_makes_no_key_believed() {
    let (its, thief) = (signer(), rotated());
    let twelve = log(12);
    let kept = checkpoint(&twelve[..5]);
    let added = checkpoint_of(&thief, &twelve[..5]).split_once("\n\n").unwrap().1.to_owned();
    let keys = vec![thief.verifier(), its.verifier()];
    let stolen = Asked { keys: keys.clone(), signer: thief, ..Asked::of(ALL) }.export(&twelve);
    let honest = Asked { keys, ..Asked::of(ALL) }.export(&twelve);
    let with = |keys: Vec<Verifier>| Options { keys, older: Some(format!("{kept}{added}")) };
    let many = "more than one key in the file has signed the older checkpoint: give the log's key with --key";
    refuted(&stolen, &with(vec![]), many);
    refuted(&honest, &with(vec![]), many);
    refuted(&stolen, &with(vec![its.verifier()]), &another("the file", "the first one given"));
    assert!(verify(honest.as_bytes(), &with(vec![its.verifier()])).is_ok());
    // A key that the header names twice is one.
    let twice = Asked { keys: vec![its.verifier(), its.verifier()], ..Asked::of(ALL) }.export(&twelve);
    let options = Options { keys: vec![], older: Some(kept.clone()) };
    assert!(verify(twice.as_bytes(), &options).is_ok());
}

#[test]
fn a_key_of_another_log_signs_nothing_of_this_one() {
    let stranger = Signer::from_seed(&origin(Uuid::from_u128(77)), &[7; 32]).unwrap();
    let (its, own) = (stranger.verifier(), signer().verifier());
    let with = |keys: &[&Verifier]| Options { keys: keys.iter().copied().cloned().collect(), older: None };
    let honest = export(&log(5), ALL, 0, None);
    let other = format!(
        "the keys that were given are of another log: of {}, and the file is of {}",
        origin(Uuid::from_u128(77)),
        origin(LOG)
    );
    refuted(&honest, &with(&[&its]), &other);
    for keys in [[&its, &own], [&own, &its]] {
        assert!(verify(honest.as_bytes(), &with(&keys)).is_ok());
    }
    let forged = Asked { keys: vec![its.clone()], signer: stranger, ..Asked::of(ALL) }.export(&log(5));
    refuted(&forged, &with(&[]), "the file names no key of its log, ");
    for keys in [[&its, &own], [&own, &its]] {
        refuted(&forged, &with(&keys), "the checkpoint is signed by no key that is given or in the file");
    }
}

#[test]
fn what_was_signed_with_a_fault_in_it_is_found() {
    let none = Options::default();
    let found_at = |log: &[EventLine<'static>], scope: Scope, position: i64, why: &str| {
        let place = refuted(&export(log, scope, 0, None), &none, why).place();
        assert_eq!(place.map(|place| place.position), Some(position), "{why}");
    };
    let mut five = log(5);
    // Two may be recorded at the same time.
    five[3].recorded_at = five[2].recorded_at;
    assert!(read(&export(&five, ALL, 0, None)).is_ok());
    five[3].recorded_at -= Duration::microseconds(1);
    found_at(&five, ALL, 4, "it was recorded before the event at position 3");
    five[4].recorded_at = five[3].recorded_at;
    found_at(&five, PART, 5, "it was recorded before the event at position 3");

    // One of a stream is left out, one is there twice, and the first is not its first.
    for (index, sequence) in [(4, 4), (4, 2), (0, 2)] {
        let mut five = log(5);
        five[index].sequence = sequence;
        for scope in [ALL, PART] {
            found_at(&five, scope, five[index].position, &format!("it does not follow in the stream of {FEED}"));
        }
    }
}

#[test]
fn no_event_of_another_feed_that_was_signed_is_left_out_and_none_put_in() {
    let asked = |context| Asked { context, ..Asked::of(PART) }.export(&log(5));
    let whole: [&[i64]; 4] = [&[], &[2], &[4], &[2, 4]];
    for context in whole {
        let report = read(&asked([context, context])).unwrap();
        assert_eq!((report.events, report.context), (3 + context.len() as u64, context.len() as u64));
    }
    // The first are signed, and the second are in the file.
    let wrong: [[&[i64]; 2]; 6] =
        [[&[2, 4], &[2]], [&[2, 4], &[4]], [&[2, 4], &[]], [&[4], &[2]], [&[2], &[2, 4]], [&[], &[4]]];
    for context in wrong {
        let failure = refuted(&asked(context), &Options::default(), "the events of other feeds");
        assert!(failure.to_string().contains("are not those that were signed") && failure.place().is_none());
    }
}

/// What is left of a payload.
const TOMBSTONE: &str = r#"{"type":"TaskUpdated","changes":{"title":{"from":"[redacted]","to":"[redacted]"}}}"#;

/// Takes out the payload of the third event of twelve, and has the seventh say so in this way.
fn redacted(said: &str) -> Vec<EventLine<'static>> {
    left("TaskUpdated", TOMBSTONE, said)
}

/// The same, where this is left of an event of this type.
fn left(event_type: &'static str, remains: &'static str, said: &str) -> Vec<EventLine<'static>> {
    let mut twelve = log(12);
    let Tie::Salt(salt) = twelve[2].tie else { panic!("a salt") };
    let commitment = workroom_proofs::entry::commitment(&salt, twelve[2].data.as_bytes());
    (twelve[2].event_type, twelve[2].tie) = (event_type.into(), Tie::Commitment(commitment));
    twelve[2].data = remains.into();
    twelve[6].event_type = "PayloadRedacted".into();
    twelve[6].data = said.to_owned().into();
    twelve
}

/// What the seventh has to say.
fn explanation() -> String {
    explained("TaskUpdated", TOMBSTONE)
}

/// What it has to say where this is left of an event of this type.
fn explained(event_type: &str, remains: &str) -> String {
    let (event_id, remains) = (Uuid::from_u128(1003), Hash::of(remains.as_bytes()));
    let said = serde_json::json!({
        "type": "PayloadRedacted", "position": 3, "event_id": event_id, "event_type": event_type,
        "reason": "a secret", "remains": remains.to_string(), "fields": [],
    });
    said.to_string()
}

#[test]
fn what_was_taken_out_is_explained_by_a_later_event_of_the_same_stream() {
    let good = explanation();
    for scope in [ALL, PART] {
        let text = export(&redacted(&good), scope, 0, None);
        assert!(text.contains(TOMBSTONE));
        assert_eq!(read(&text).unwrap().redacted, 1);
    }
    let none = Options::default();
    for (this, that) in [
        ("\"position\":3", "\"position\":5"),
        ("\"position\":3", "\"position\":\"3\""),
        ("0000003eb", "0000003ec"),
        ("TaskUpdated", "TaskCreated"),
    ] {
        let bad = good.replacen(this, that, 1);
        assert_ne!(bad, good, "{this}");
        let failure = refuted(&export(&redacted(&bad), PART, 0, None), &none, "no event of its stream says by whom");
        assert_eq!(failure.place().unwrap().position, 3, "{that}");
    }
    // An event of another feed, or before it, explains nothing; and what explains cannot be taken out itself.
    for at in [0, 1, 5] {
        let mut other = redacted(&good);
        (other[at].event_type, other[at].data) = (other[6].event_type.clone(), other[6].data.clone());
        other[6] = log(12)[6].clone();
        refuted(&export(&other, ALL, 0, None), &none, "no event of its stream says by whom");
    }
    let mut chain = redacted(&good);
    chain[6].tie = Tie::Commitment(Hash::EMPTY);
    let failure = refuted(&export(&chain, PART, 0, None), &none, "is no tombstone");
    assert_eq!(failure.place().unwrap().position, 7);
}

#[test]
fn what_is_forged_as_a_redaction_is_no_tombstone() {
    let forged =
        |event_type, remains| export(&left(event_type, remains, &explained(event_type, remains)), PART, 0, None);
    assert_eq!(read(&forged("TaskUpdated", TOMBSTONE)).unwrap().redacted, 1);
    for (event_type, remains) in [
        // Roles are in no event that can be redacted.
        ("OrganizationMemberAdded", r#"{"type":"OrganizationMemberAdded","role":"admin","name":"[redacted]"}"#),
        ("PayloadRedacted", r#"{"type":"PayloadRedacted","reason":"[redacted]"}"#),
        ("ThingHappened", r#"{"type":"ThingHappened","title":"[redacted]"}"#),
        // Nothing shows that anything was taken out, or a text is left, or the placeholder is that of another event.
        ("TaskUpdated", r#"{"type":"TaskUpdated","changes":{"status":{"from":"todo","to":"done"}}}"#),
        ("TaskUpdated", r#"{"type":"TaskUpdated","changes":{"title":{"from":"[redacted]","to":"a lie"}}}"#),
        ("FileDeleted", r#"{"type":"FileDeleted","path":"[redacted]-4"}"#),
    ] {
        let failure = refuted(&forged(event_type, remains), &Options::default(), "is no tombstone");
        assert_eq!(failure.place().unwrap().position, 3, "{remains}");
    }
    for (event_type, remains) in [
        ("FileDeleted", r#"{"type":"FileDeleted","path":"[redacted]-3"}"#),
        ("OrganizationUpdated", r#"{"image_url":{"from":null,"to":"https://redacted.invalid/"}}"#),
        (
            "FileContentWritten",
            r#"{"sha256":"0000000000000000000000000000000000000000000000000000000000000000","size":7}"#,
        ),
    ] {
        assert_eq!(read(&forged(event_type, remains)).unwrap().redacted, 1, "{remains}");
    }
}

#[test]
fn what_is_left_of_a_payload_cannot_be_changed() {
    let twelve = redacted(&explanation());
    let text = export(&twelve, PART, 0, None);
    let none = Options::default();
    for (other, why) in [
        (r#"{"redacted":true}"#, "is no tombstone"),
        (r#"{"type":"TaskUpdated","changes":{"title":{"from":"[redacted]","to":"[redacted] "}}}"#, "is no tombstone"),
        (r#"{"type":"TaskUpdated","changes":{"title":{"from":"[redacted]","to":null}}}"#, "not what was left of it"),
    ] {
        let failure = refuted(&text.replace(TOMBSTONE, other), &none, why);
        assert_eq!(failure.place().unwrap().position, 3);
    }
    let remains = Hash::of(TOMBSTONE.as_bytes()).to_string();
    let failure = refuted(&text.replace(&remains, &"0".repeat(64)), &none, "not what was hashed");
    assert_eq!(failure.place().unwrap().position, 7);
}
