//! What remains of events whose payload is redacted, and what becomes of those who have folded them as they were.

use std::{collections::BTreeSet, fmt::Debug};

use serde_json::{Value, json};
use workroom_domain::{
    Decide,
    change::Change,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    file::{File, FileEvent},
    job::{CancelReason, Job, JobCommand, JobEvent, JobRefusal},
    job_rule::{JobRule, JobRuleCommand, JobRuleEvent, RuleOwner, RuleScope},
    organization::{Organization, OrganizationEvent, Slug},
    organization_slug::{OrganizationSlug, OrganizationSlugEvent},
    project::{Project, ProjectChanges, ProjectEvent},
    redaction::{
        DIGEST, Origins, PAYLOAD_REDACTED, PLACEHOLDER, PayloadRedacted, Redactable, TEXTS, WITHOUT_TEXTS, marked,
        tombstone,
    },
    schedule::{Schedule, ScheduleEvent},
    task::{Task, TaskEvent},
    workspace::{Workspace, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal},
};

use crate::{
    examples::{
        ADA, FILE, ORGANIZATION, OTHER_FILE, PROJECT, TASK, WORKSPACE, content, every_event, fields, full_request,
        job_rule, key, name, path, prose, redacted, request, slug,
    },
    schemas, stored_events,
};

/// Texts that the examples and the history hold.
const WORDS: [&str; 24] = [
    "Apollo",
    "Artemis",
    "moon",
    "Acme",
    "acme",
    "Ajax",
    "ajax",
    "example.com",
    "Launch",
    "engines",
    "Softly",
    "Done.",
    "Not yet",
    "Lab",
    "Office",
    "To try",
    "To work",
    "main.py",
    "nightly",
    "Nightly",
    "reports",
    "print",
    "hello",
    "Zoë",
];

#[test]
fn each_event_type_has_texts_or_has_none() {
    let with: Vec<_> = TEXTS.iter().map(|(event_type, _)| (*event_type).to_owned()).collect();
    let without: Vec<_> = WITHOUT_TEXTS.iter().map(|event_type| (*event_type).to_owned()).collect();
    let listed: BTreeSet<_> = with.iter().chain(&without).cloned().collect();
    assert_eq!(listed.len(), with.len() + without.len(), "an event type stands in the table twice");
    let known: BTreeSet<_> = every_event().iter().map(DomainEventKind::event_type).collect();
    assert_eq!(listed, known);
    let redactable: BTreeSet<_> = every_event().iter().filter(|event| event.redaction().is_some()).map(of).collect();
    let holding: BTreeSet<_> =
        every_event().iter().filter(|event| with.contains(&event.event_type())).map(of).collect();
    assert_eq!(redactable, holding, "what has texts can be redacted, and nothing else");
}

/// The aggregate that an example is of.
fn of(event: &DomainEventKind) -> String {
    let name = format!("{event:?}");
    name.split('(').next().unwrap().to_owned()
}

#[test]
fn what_remains_of_an_event_is_read_as_documented_and_says_nothing() {
    let mut redactable = BTreeSet::new();
    for (line, event_type, payload) in stored_events::written() {
        let remains = tombstone(&event_type, &payload, 7).unwrap();
        if let Some(remains) = &remains {
            redactable.insert(event_type.clone());
            let mut stored: Value = serde_json::from_str(&line).unwrap();
            stored["payload"] = serde_json::from_str(remains).unwrap();
            let read = stored_events::read_line(&stored.to_string());
            assert_eq!(read.event_type(), event_type);
            assert_eq!(schemas::without_formats().problem(&event_type, remains), None, "{remains}");
            assert_eq!(tombstone(&event_type, remains, 7).unwrap(), None, "redacted twice: {remains}");
            assert_eq!(shape(&stored["payload"]), shape(&serde_json::from_str(&payload).unwrap()), "{line}");
        }
        let remains = remains.unwrap_or(payload);
        for word in WORDS {
            assert!(!remains.contains(word), "{word} in {remains}");
        }
    }
    let expected: BTreeSet<_> = TEXTS.iter().map(|(event_type, _)| (*event_type).to_owned()).collect();
    assert_eq!(redactable, expected, "no example holds the texts of an event type");
}

/// A payload without its strings: these alone may change.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("text"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(entries) => entries.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        other => other.clone(),
    }
}

fn folded<'e, A: Decide>(events: impl IntoIterator<Item = &'e A::Event>) -> A
where
    A::Event: 'e,
{
    let mut state = A::default();
    events.into_iter().for_each(|event| state.evolve(event));
    state
}

/// What remains of an event, at a position.
fn remaining<A: Redactable>(event: &A::Event, position: i64) -> Option<A::Event> {
    let payload = serde_json::to_string(event).unwrap();
    let remains = tombstone(&cqrs_es::DomainEvent::event_type(event), &payload, position).unwrap();
    remains.map(|remains| serde_json::from_str(&remains).unwrap())
}

fn redaction(position: i64, fields: Vec<String>) -> PayloadRedacted {
    PayloadRedacted { position, fields, ..redacted("", &[]) }
}

/// An event with marks in the place of its texts.
fn with_marks<A: Redactable>(event: &A::Event, sequence: i64) -> A::Event {
    let payload = serde_json::to_string(event).unwrap();
    let marks = marked(&cqrs_es::DomainEvent::event_type(event), &payload, sequence).unwrap();
    marks.map_or_else(|| event.clone(), |marks| serde_json::from_str(&marks).unwrap())
}

/// Which event each text of an aggregate is from.
fn origins<A: Redactable>(stream: &[A::Event]) -> Origins<A> {
    let mut origins = Origins::<A>::default();
    for (event, sequence) in stream.iter().zip(1..) {
        origins.fold(&with_marks::<A>(event, sequence));
    }
    origins
}

/// The fields that an aggregate has from the event with this sequence.
fn affected<A: Redactable>(stream: &[A::Event], sequence: i64) -> Vec<String> {
    origins::<A>(stream).affected(&[sequence]).remove(0)
}

/// Redacts all events of a stream at once: whoever folds the redactions behind the events as they were has what a replay gives.
fn redact_all<A: Redactable + PartialEq + Debug>(stream: &[A::Event]) {
    let (mut log, mut sequences) = (Vec::new(), Vec::new());
    for (event, sequence) in stream.iter().zip(1..) {
        let remains = remaining::<A>(event, sequence + 100);
        sequences.extend(remains.as_ref().map(|_| sequence));
        log.push(remains.unwrap_or_else(|| event.clone()));
    }
    let fields = origins::<A>(stream).affected(&sequences);
    let redactions: Vec<_> = sequences
        .iter()
        .zip(fields)
        .map(|(sequence, fields)| A::payload_redacted(redaction(*sequence + 100, fields)))
        .collect();
    let live = folded::<A>(stream.iter().chain(&redactions));
    assert_eq!(live, folded::<A>(log.iter().chain(&redactions)), "all at once");
}

/// Redacts each event of a stream by itself, and then all of them, one after the other. Whoever folds the redactions behind the
/// events as they were has what a replay of the tombstones gives. Returns the fields that each redaction affects.
fn redact_each<A: Redactable + PartialEq + Debug>(stream: &[A::Event]) -> Vec<Vec<String>> {
    let (mut log, mut live) = (stream.to_vec(), folded::<A>(stream));
    let mut found = Vec::new();
    for (index, event) in stream.iter().enumerate() {
        let sequence = i64::try_from(index).unwrap() + 1;
        let position = sequence + 100;
        let Some(remains) = remaining::<A>(event, position) else {
            found.push(vec![]);
            continue;
        };
        let fields = affected::<A>(stream, sequence);
        let alone = A::payload_redacted(redaction(position, fields.clone()));
        found.push(fields);
        let as_it_was = folded::<A>(stream.iter().chain([&alone]));
        let mut replayed = stream.to_vec();
        replayed[index] = remains.clone();
        replayed.push(alone);
        assert_eq!(as_it_was, folded::<A>(&replayed), "event {sequence}");

        let fields = affected::<A>(&log, sequence);
        let next = A::payload_redacted(redaction(position, fields));
        live.evolve(&next);
        log[index] = remains;
        log.push(next);
        assert_eq!(live, folded::<A>(&log), "after event {sequence}");
    }
    redact_all::<A>(stream);
    let left = serde_json::to_string(&live).unwrap();
    for word in WORDS {
        assert!(!left.contains(word), "{word} in {left}");
    }
    found
}

/// The examples of an aggregate.
fn examples<E>(of: impl Fn(DomainEventKind) -> Option<E>) -> Vec<E> {
    every_event().into_iter().filter(|event| event.redaction().is_none()).filter_map(of).collect()
}

#[test]
fn a_field_that_was_changed_since_is_not_affected() {
    let created = ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields: fields() };
    let renamed = Change { from: name("Apollo"), to: name("Artemis") };
    let changes = ProjectChanges { name: Some(renamed), ..ProjectChanges::default() };
    let stream = [created, ProjectEvent::ProjectUpdated { changes }];
    assert_eq!(redact_each::<Project>(&stream), [vec!["description"], vec!["name"]]);
    // The view has a project that was deleted as it was before.
    let stream: Vec<_> = stream.into_iter().chain([ProjectEvent::ProjectDeleted {}]).collect();
    assert_eq!(redact_each::<Project>(&stream), [vec!["description"], vec!["name"], vec![]]);
}

#[test]
fn what_somebody_wrote_stays_where_it_was_written_again() {
    let created = ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields: fields() };
    let renamed = |from, to| {
        let changes = ProjectChanges { name: Some(Change { from: name(from), to: name(to) }), ..Default::default() };
        ProjectEvent::ProjectUpdated { changes }
    };
    let stream = [created, renamed("Apollo", "Artemis"), renamed("Artemis", "Apollo")];
    assert_eq!(affected::<Project>(&stream, 1), ["description"]);
}

#[test]
fn whose_text_it_is_can_be_told_behind_redactions_and_before() {
    let created = ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields: fields() };
    let renamed = Change { from: name("Apollo"), to: name("Artemis") };
    let changes = ProjectChanges { name: Some(renamed), ..ProjectChanges::default() };
    let stream = [created, ProjectEvent::ProjectUpdated { changes }];
    let before = origins::<Project>(&stream);
    let mut behind = origins::<Project>(&stream.clone().map(|event| remaining::<Project>(&event, 7).unwrap()));
    behind.fold(&ProjectEvent::PayloadRedacted(Box::new(redacted("ProjectUpdated", &["name"]))));
    for origins in [&before, &behind] {
        assert_eq!((origins.of("name"), origins.of("description"), origins.of("nothing")), (Some(2), Some(1), None));
        assert_eq!(origins.affected(&[1, 2]), [vec!["description"], vec!["name"]]);
        assert_eq!(origins.affected(&[2]), [vec!["name"]]);
        assert!(!format!("{origins:?}").contains("Artemis"));
    }
}

#[test]
fn of_tasks_and_comments_the_texts_go() {
    let stream = examples(|event| match event {
        DomainEventKind::Task(event @ (TaskEvent::TaskCreated { .. } | TaskEvent::TaskUpdated { .. })) => Some(event),
        _ => None,
    });
    assert_eq!(redact_each::<Task>(&stream), [vec![], vec!["description", "title"]]);
    let (project_id, task_id) = (PROJECT, TASK);
    let body = prose("Done.");
    let posted = CommentEvent::CommentPosted { project_id, task_id, author_id: ADA, body: body.clone() };
    let edited = CommentEvent::CommentEdited { task_id, body: Change { from: body, to: prose("Not yet.") } };
    assert_eq!(redact_each::<Comment>(&[posted, edited]), [vec![], vec!["body"]]);
}

#[test]
fn of_organizations_and_slugs_the_texts_go_and_members_stay() {
    let stream = examples(|event| match event {
        DomainEventKind::Organization(event) => Some(event),
        _ => None,
    });
    let living: Vec<_> =
        stream.into_iter().filter(|event| *event != OrganizationEvent::OrganizationDeleted {}).collect();
    let found = redact_each::<Organization>(&living);
    assert_eq!(found[..2], [vec![], vec!["image_url", "name", "slug"]]);
    assert!(Slug::parse("[redacted]-102").is_err(), "somebody could claim it");
    let claimed = OrganizationSlugEvent::SlugClaimed { slug: slug("acme"), organization_id: ORGANIZATION };
    assert_eq!(redact_each::<OrganizationSlug>(&[claimed]), [Vec::<String>::new()]);
}

#[test]
fn files_are_followed_by_their_ids_where_paths_were_redacted() {
    let moved =
        |file_id, from, to| WorkspaceEvent::FileMoved { file_id, path: Change { from: path(from), to: path(to) } };
    let (project_id, description) = (PROJECT, prose("To try."));
    let stream = [
        WorkspaceEvent::WorkspaceCreated { project_id, name: name("Lab"), description },
        WorkspaceEvent::FileCreated { file_id: FILE, path: path("main.py") },
        WorkspaceEvent::FileDeleted { file_id: FILE, path: path("main.py") },
        WorkspaceEvent::FileCreated { file_id: OTHER_FILE, path: path("main.py") },
        moved(OTHER_FILE, "main.py", "src/main.py"),
        WorkspaceEvent::FileCreated { file_id: FILE, path: path("main.py") },
    ];
    let (file, other) = (format!("files/{}", FILE.uuid()), format!("files/{}", OTHER_FILE.uuid()));
    let none: Vec<String> = vec![];
    let named = vec!["description".to_owned(), "name".to_owned()];
    assert_eq!(redact_each::<Workspace>(&stream), [named, none.clone(), none.clone(), none, vec![other], vec![file]]);
}

#[test]
fn nobody_puts_a_file_where_a_redacted_one_may_come_to_lie() {
    let (project_id, description) = (PROJECT, prose(""));
    let created = WorkspaceEvent::WorkspaceCreated { project_id, name: name("Lab"), description };
    let workspace = folded::<Workspace>(&[created]);
    let put = |to: &str| workspace.decide(WorkspaceCommand::CreateFile { file_id: FILE, path: path(to) });
    assert_eq!(put("[redacted]-7"), Err(WorkspaceRefusal::PathTaken("[redacted]-7".to_owned())));
    assert!(put("[redacted]").is_ok());
}

#[test]
fn of_a_file_the_size_stays_and_the_digest_goes() {
    let written =
        |size| FileEvent::FileContentWritten { project_id: PROJECT, workspace_id: WORKSPACE, content: content(size) };
    let stream = [written(12), written(13)];
    assert_eq!(redact_each::<File>(&stream), [vec![], vec!["content"]]);
    let remains = remaining::<File>(&stream[1], 2).unwrap();
    let file = folded::<File>([&stream[0], &remains]);
    assert_eq!((file.content().size, file.content().sha256), (13, DIGEST));
}

#[test]
fn of_a_job_the_program_and_the_keys_go() {
    let stream = [JobEvent::JobRequested(Box::new(request())), JobEvent::JobRedriven {}];
    assert_eq!(redact_each::<Job>(&stream), [vec!["source", "stdin"], vec![]]);
    let stream = [JobEvent::JobRequested(Box::new(full_request()))];
    assert_eq!(redact_each::<Job>(&stream), [vec!["fairness_key", "key", "source"]]);
}

#[test]
fn a_job_whose_program_is_gone_is_not_done_again_by_who_reads_what_remains() {
    for request in [request(), full_request()] {
        let remains = remaining::<Job>(&JobEvent::JobRequested(Box::new(request)), 7).unwrap();
        let cancelled = JobEvent::JobCancelled { reason: CancelReason::Requested };
        let job = folded::<Job>([&remains, &cancelled]);
        assert_eq!(job.decide(JobCommand::Redrive), Err(JobRefusal::InputGone));
    }
}

#[test]
fn of_a_schedule_the_name_and_the_keys_go() {
    let stream = examples(|event| match event {
        DomainEventKind::Schedule(
            event @ (ScheduleEvent::ScheduleCreated(_) | ScheduleEvent::ScheduleTicked { .. }),
        ) => Some(event),
        _ => None,
    });
    assert_eq!(redact_each::<Schedule>(&stream), [vec!["key", "name"], vec![]]);
}

#[test]
fn a_rule_whose_key_was_redacted_is_about_nothing_until_it_is_set_again() {
    let stream = [JobRuleEvent::JobRuleChanged(Box::new(job_rule()))];
    assert_eq!(redact_each::<JobRule>(&stream), [vec!["fairness_key", "key"]]);
    let scope = RuleScope { key: Some(key("nightly")), ..RuleScope::all_of(RuleOwner::Project(PROJECT)) };
    let mut rule = folded::<JobRule>(&stream);
    let redacted = Box::new(redacted("JobRuleChanged", &["key", "fairness_key"]));
    rule.evolve(&JobRuleEvent::PayloadRedacted(redacted));
    let found = rule.rule(&scope);
    assert_eq!(found.scope.key.as_ref().map(|key| key.as_str().to_owned()), Some(format!("{PLACEHOLDER}-7")));
    assert!(found.paused);
    let Ok(events) = rule.decide(JobRuleCommand::Pause { scope: scope.clone() });
    let [JobRuleEvent::JobRuleChanged(again)] = &events[..] else { panic!("not set again: {events:?}") };
    assert_eq!((&again.scope, again.paused), (&scope, true));
}

#[test]
fn a_redaction_is_known_whatever_it_is_of() {
    let redactions: Vec<_> = every_event().into_iter().filter(|event| event.redaction().is_some()).collect();
    assert_eq!(redactions.len(), 10);
    for event in redactions {
        assert_eq!((event.event_type().as_str(), event.redaction().unwrap().position), (PAYLOAD_REDACTED, 7));
    }
}
