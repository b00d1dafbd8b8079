//! What a fold comes to does not depend on how the events are cut into batches, nor on a way through bytes, and is what the
//! statements of the views say.

use time::macros::datetime;
use uuid::Uuid;
use workroom_domain::{event::DomainEventKind, metadata::Metadata};

use super::tables::{KEPT, NOUNS, shape};
use crate::{
    changes::{Changes, Memory},
    groups,
    log::Recorded,
};

const MOST: usize = 1024 * 1024;

/// Numbers that look like chance, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap() + 1)
}

/// The event of a feed, of an aggregate, from its stored form.
fn event(seq: i64, aggregate_type: &str, aggregate_id: Uuid, sequence: i64, payload: &str) -> Recorded {
    let metadata = [
        ("actor", "account:00000000-0000-0000-0000-000000000ada"),
        ("occurred_at", "2026-11-20T10:00:00.5Z"),
        ("correlation_id", "00000000-0000-0000-0000-0000000000c0"),
    ];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Recorded {
        position: seq,
        event_id: id(usize::try_from(seq).unwrap()),
        feed_id: id(0),
        feed_seq: seq,
        aggregate_id,
        sequence,
        event: DomainEventKind::decode(aggregate_type, payload).unwrap(),
        metadata: Metadata::from_map(&metadata).unwrap(),
        recorded_at: datetime!(2026-11-20 10:00 UTC),
    }
}

/// Tasks that come, change and go, with comments, in a project with members.
fn history(dice: &mut Dice, length: i64) -> Vec<Recorded> {
    let project = id(0);
    let mut events = Vec::new();
    let mut tasks: Vec<(Uuid, i64, Vec<Uuid>)> = Vec::new();
    let (mut members, mut roster) = (Vec::new(), 0);
    for (number, seq) in (1000..).zip(1..=length) {
        let fresh = id(number);
        let place = if tasks.is_empty() { 0 } else { dice.roll(tasks.len()) };
        let recorded = match (dice.roll(7), tasks.get_mut(place)) {
            (1, Some((task, sequence, _))) => {
                *sequence += 1;
                let payload = r#"{"type":"TaskUpdated","changes":{"title":{"from":"A","to":"B"},
                    "due_at":{"from":"2026-05-03T03:09:37Z","to":null},"status":{"from":"todo","to":"done"}}}"#;
                event(seq, "task", *task, *sequence, payload)
            }
            (2, Some((task, _, comments))) => {
                comments.push(fresh);
                let payload = format!(
                    r#"{{"type":"CommentPosted","project_id":"{project}","task_id":"{task}","author_id":"{}","body":"Said."}}"#,
                    id(5)
                );
                event(seq, "comment", fresh, 1, &payload)
            }
            (3, Some((task, _, comments))) if !comments.is_empty() => {
                let payload = format!(r#"{{"type":"CommentDeleted","task_id":"{task}"}}"#);
                event(seq, "comment", comments.remove(0), 2, &payload)
            }
            (4, Some(_)) => {
                let (task, sequence, _) = tasks.remove(place);
                event(seq, "task", task, sequence + 1, r#"{"type":"TaskDeleted"}"#)
            }
            (5, _) => {
                members.push(fresh);
                roster += 1;
                let payload = format!(r#"{{"type":"MemberAdded","account_id":"{fresh}","role":"viewer"}}"#);
                event(seq, "membership", project, roster, &payload)
            }
            (6, _) if !members.is_empty() => {
                roster += 1;
                let member = members.remove(dice.roll(members.len()));
                let payload = format!(r#"{{"type":"MemberRemoved","account_id":"{member}","role":"viewer"}}"#);
                event(seq, "membership", project, roster, &payload)
            }
            _ => {
                tasks.push((fresh, 1, Vec::new()));
                let payload = format!(
                    r#"{{"type":"TaskCreated","project_id":"{project}","title":"A","description":"","assignee_id":null,
                        "status":"todo","task_type":"task","priority":"low","due_at":"2026-05-03T03:09:37Z"}}"#
                );
                event(seq, "task", fresh, 1, &payload)
            }
        };
        events.push(recorded);
    }
    events
}

fn apply(memory: &mut Memory, events: &[Recorded]) {
    let mut changes = Changes::default();
    for projection in groups().iter().flat_map(|group| &group.projections) {
        for recorded in events {
            projection.apply(recorded, &mut changes);
        }
    }
    memory.apply(changes).unwrap();
}

fn value(memory: &Memory, table: &str, row: usize, column: &str) -> String {
    let (place, kept) = KEPT.iter().enumerate().find(|(_, kept)| kept.table == table).unwrap();
    let row = memory.rows(place).nth(row).unwrap();
    String::from_utf8(row.value(kept.place(column).unwrap(), kept.columns.len()).to_vec()).unwrap()
}

#[test]
fn a_fold_is_the_same_however_its_events_are_cut() {
    for seed in 1..=50 {
        let mut dice = Dice(seed);
        let events = history(&mut dice, 120);
        let mut one_by_one = Memory::new(KEPT, MOST);
        for recorded in &events {
            apply(&mut one_by_one, std::slice::from_ref(recorded));
        }
        let mut at_once = Memory::new(KEPT, MOST);
        apply(&mut at_once, &events);
        assert_eq!(one_by_one.encode(), at_once.encode(), "seed {seed}");

        let mut cut = Memory::new(KEPT, MOST);
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(1 + dice.roll(rest.len()));
            apply(&mut cut, batch);
            rest = behind;
            // By way of bytes, as from a snapshot.
            cut = Memory::decode(KEPT, MOST, &cut.encode()).unwrap();
        }
        assert_eq!(cut.encode(), at_once.encode(), "seed {seed}");
    }
}

#[test]
fn what_differs_is_what_two_folds_tell_apart() {
    for seed in 1..=50 {
        let mut dice = Dice(seed);
        let events = history(&mut dice, 80);
        let (first, second) = events.split_at(dice.roll(80));
        let mut before = Memory::new(KEPT, MOST);
        apply(&mut before, first);
        let mut after = Memory::new(KEPT, MOST);
        apply(&mut after, first);
        after.watch();
        apply(&mut after, second);
        for (table, kept) in KEPT.iter().enumerate() {
            let of_table = || after.differences().filter(|difference| difference.table == table);
            let old: Vec<_> = before.rows(table).filter(|row| !after.rows(table).any(|other| other == *row)).collect();
            let new: Vec<_> = after.rows(table).filter(|row| !before.rows(table).any(|other| other == *row)).collect();
            assert_eq!(of_table().filter_map(|difference| difference.from).collect::<Vec<_>>(), old, "{}", kept.table);
            assert_eq!(of_table().filter_map(|difference| difference.to).collect::<Vec<_>>(), new, "{}", kept.table);
        }
        // The same of two states that were folded apart.
        let mut apart = Memory::new(KEPT, MOST);
        apply(&mut apart, &events);
        apart.since(before);
        let told = |memory: &Memory| -> Vec<String> {
            memory.differences().map(|difference| format!("{difference:?}")).collect()
        };
        assert_eq!(told(&apart), told(&after), "seed {seed}");
    }
}

#[test]
fn columns_are_set_counted_and_cleared_as_in_the_views() {
    let (project, task) = (id(0), id(1));
    let created = format!(
        r#"{{"type":"TaskCreated","project_id":"{project}","title":"A","description":"","assignee_id":"{}","status":"todo",
            "task_type":"task","priority":"low","due_at":"2026-05-03T03:09:37Z"}}"#,
        id(9)
    );
    let comment = format!(
        r#"{{"type":"CommentPosted","project_id":"{project}","task_id":"{task}","author_id":"{}","body":"Said."}}"#,
        id(9)
    );
    let added = format!(r#"{{"type":"MemberAdded","account_id":"{}","role":"owner"}}"#, id(9));
    let mut memory = Memory::new(KEPT, MOST);
    apply(&mut memory, &[event(1, "task", task, 1, &created), event(2, "membership", project, 1, &added)]);
    apply(&mut memory, &[event(3, "comment", id(2), 1, &comment), event(4, "comment", id(3), 1, &comment)]);
    assert_eq!(value(&memory, "tasks", 0, "comment_count"), "2");
    assert_eq!(value(&memory, "tasks", 0, "due_at"), r#""2026-05-03T03:09:37Z""#);
    assert_eq!(value(&memory, "tasks", 0, "created_at"), r#""2026-11-20T10:00:00.5Z""#);
    assert_eq!(value(&memory, "rosters", 0, "member_count"), "1");
    let cleared = r#"{"type":"TaskUpdated","changes":{"due_at":{"from":"2026-05-03T03:09:37Z","to":null}}}"#;
    apply(&mut memory, &[event(5, "task", task, 2, cleared)]);
    assert_eq!(value(&memory, "tasks", 0, "due_at"), "null");
    assert_eq!(value(&memory, "tasks", 0, "title"), r#""A""#);
    apply(&mut memory, &[event(6, "task", task, 3, r#"{"type":"TaskDeleted"}"#)]);
    let left: usize = KEPT.iter().enumerate().map(|(table, _)| memory.rows(table).count()).sum();
    assert_eq!(left, 2, "the member and the roster: comments go with their task");
    let closed = event(7, "membership", project, 2, r#"{"type":"MembershipClosed"}"#);
    apply(&mut memory, &[closed]);
    assert_eq!(value(&memory, "rosters", 0, "member_count"), "0");
}

#[test]
fn memory_is_bounded() {
    let events = history(&mut Dice(7), 60);
    let mut memory = Memory::new(KEPT, 500);
    let mut changes = Changes::default();
    for projection in groups().iter().flat_map(|group| &group.projections) {
        for recorded in &events {
            projection.apply(recorded, &mut changes);
        }
    }
    assert!(memory.apply(changes).is_err());
    let mut whole = Memory::new(KEPT, MOST);
    apply(&mut whole, &events);
    let bytes = whole.encode();
    assert!(Memory::decode(KEPT, 500, &bytes).is_none(), "larger than it may be");
    for end in 0..bytes.len() {
        assert!(Memory::decode(KEPT, MOST, &bytes[..end]).is_none(), "cut at {end}");
    }
}

#[test]
fn snapshots_lie_apart_so_that_there_are_few() {
    use super::snapshots::spacing;
    for head in [0, 1, 1023, 1024, 65_536, 100_000, 1_000_000, 100_000_000] {
        assert!(head / spacing(head, 1) <= 1024, "{head}");
        assert!(head / spacing(head, 64 * 1024 * 1024) <= 4, "{head}");
    }
    assert_eq!((spacing(1_000_000, 1000), spacing(2_000_000, 1000)), (1024, 2048));
    assert!(spacing(2000, 1000) == 1024 && spacing(9_000_000, 1000) % spacing(2_000_000, 1000) == 0);
    assert_eq!(spacing(100_000, 4 * 1024 * 1024), 2048, "all of them take 256 MiB at most");
}

#[test]
fn nouns_show_columns_that_there_are() {
    for noun in NOUNS {
        let kept = KEPT.iter().find(|kept| kept.table == noun.table).unwrap();
        for shown in noun.fields {
            assert!(kept.place(shown.column).is_some(), "{}.{}", noun.table, shown.column);
        }
    }
    assert_eq!(shape(), shape());
}
