//! What is handed out, and what waits.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    event::DomainEventKind,
    ids::{AccountId, OrganizationId, ProjectId},
    job::{AttemptFailure, Interruption, JobEvent, Key, MaxAttempts, Outcome, Priority, Request, Work},
    job_rule::{Rate, Rule, RuleOwner, RuleScope, Running, Weight},
    metadata::Metadata,
    redaction::{DIGEST, PayloadRedacted},
    text::Name,
};
use workroom_projections::{
    Projection,
    changes::{Changes, Memory},
    jobs::{Jobs, OpenJob},
    log::Recorded,
    state::KEPT,
};

use super::{book::Book, entry::Moment, gates::RunningLimits};
use crate::jobs::{JobMessage, pool::Pool};

const RULE: Uuid = Uuid::from_u128(0xffff);

/// A job that waits, of an organization with that number; its project has the same.
fn job(id: u128, organization: u128) -> OpenJob {
    OpenJob {
        id: Uuid::from_u128(id),
        job_type: "noop".to_owned(),
        project_id: Some(Uuid::from_u128(organization)),
        organization_id: Some(Uuid::from_u128(organization)),
        submitted_by: Uuid::from_u128(7),
        priority: 3,
        key: None,
        fairness_key: None,
        attempt: 0,
        run_at: None,
        due_at: Some(OffsetDateTime::UNIX_EPOCH),
        worker_id: None,
        webhook_id: None,
    }
}

fn book(jobs: impl IntoIterator<Item = OpenJob>) -> Book {
    let mut book = Book::new(RunningLimits::default());
    jobs.into_iter().for_each(|job| book.load(&job));
    book
}

/// The ids of up to so many jobs of the service's pool that are handed out.
fn take(book: &mut Book, count: usize, now: Instant) -> Vec<u128> {
    let taken = (0..count).map_while(|_| book.take(Pool::Service, now));
    taken.map(|message| message.job_id.as_u128()).collect()
}

fn scope(organization: u128) -> RuleScope {
    RuleScope::all_of(RuleOwner::Organization(OrganizationId(Uuid::from_u128(organization))))
}

fn paused(scope: RuleScope) -> Rule {
    Rule { paused: true, ..Rule::none(scope) }
}

/// An event by a clock that is an hour ahead.
fn ahead() -> Moment {
    let recorded_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1000);
    Moment { occurred_at: recorded_at + Duration::from_hours(1), recorded_at }
}

fn end(book: &mut Book, id: u128) {
    let event = JobEvent::JobSucceeded { attempt: 1, outcome: Outcome::default() };
    book.apply(Uuid::from_u128(id), &event, ahead());
}

#[test]
fn a_clock_that_is_ahead_delays_nothing() {
    let now = Instant::now();
    let late = OpenJob { due_at: Some(OffsetDateTime::UNIX_EPOCH + Duration::from_hours(24)), ..job(1, 1) };
    let mut book = book([late]);
    assert_eq!(take(&mut book, 1, now), [1], "it was to be done at once");
    book.apply(Uuid::from_u128(1), &JobEvent::JobStarted { attempt: 1, worker_id: RULE }, ahead());
    let retry_at = Some(ahead().occurred_at + Duration::from_secs(5));
    let cause = Interruption::WorkerStopped;
    let interrupted = JobEvent::JobInterrupted { attempt: 1, cause, uncounted: 1, retry_at };
    book.apply(Uuid::from_u128(1), &interrupted, ahead());
    assert_eq!(book.next_due(), Some(ahead().recorded_at + Duration::from_secs(5)), "as long after it was recorded");
    book.release(ahead().recorded_at + Duration::from_secs(5));
    assert_eq!(take(&mut book, 1, now), [1]);
}

/// Job 1 as the view shows it after these events, all of one moment.
fn shown(events: &[JobEvent], at: Moment) -> OpenJob {
    let mut changes = Changes::default();
    for (event, sequence) in events.iter().zip(1..) {
        let recorded = Recorded {
            position: sequence,
            event_id: Uuid::nil(),
            feed_id: Uuid::nil(),
            feed_seq: sequence,
            aggregate_id: Uuid::from_u128(1),
            sequence,
            event: DomainEventKind::Job(event.clone()),
            metadata: Metadata {
                actor: Actor::System(SystemActor::Worker),
                occurred_at: at.occurred_at,
                correlation_id: Uuid::nil(),
                causation_id: None,
                trace_id: None,
            },
            recorded_at: at.recorded_at,
        };
        Jobs.apply(&recorded, &mut changes);
    }
    let mut memory = Memory::new(KEPT, 1 << 20);
    memory.apply(changes).expect("rows");
    let (table, kept) = KEPT.iter().enumerate().find(|(_, kept)| kept.table == "jobs").expect("a table");
    let row = memory.rows(table).next().expect("a row");
    let due_at = row.value(kept.place("due_at").expect("a column"), kept.columns.len());
    let due_at: Option<String> = serde_json::from_slice(due_at).expect("a time");
    let due_at = due_at.map(|at| OffsetDateTime::parse(&at, &Rfc3339).expect("a time"));
    OpenJob { attempt: 1, due_at, ..job(1, 1) }
}

#[test]
fn a_dispatcher_that_begins_waits_as_long_as_one_that_has_followed() {
    let (id, pause) = (Uuid::from_u128(1), Duration::from_secs(20));
    let request = Request {
        project_id: Some(ProjectId(id)),
        organization_id: Some(OrganizationId(id)),
        submitted_by: AccountId(Uuid::from_u128(7)),
        work: Work::Noop {},
        max_attempts: MaxAttempts::default(),
        priority: Priority::default(),
        run_at: None,
        key: None,
        fairness_key: None,
        schedule_id: None,
    };
    let started = [JobEvent::JobRequested(Box::new(request)), JobEvent::JobStarted { attempt: 1, worker_id: RULE }];
    let recorded_at = OffsetDateTime::UNIX_EPOCH + Duration::from_hours(100);
    for wrong_by in [0, 3600, -3600].map(time::Duration::seconds) {
        let at = Moment { occurred_at: recorded_at + wrong_by, recorded_at };
        let retry_at = Some(at.occurred_at + pause);
        let failure = AttemptFailure::Program { outcome: Outcome::default() };
        for ended in [
            JobEvent::JobAttemptFailed { attempt: 1, failure, retry_at },
            JobEvent::JobInterrupted { attempt: 1, cause: Interruption::WorkerFailed, uncounted: 1, retry_at },
            JobEvent::JobSnoozed { attempt: 1, uncounted: 1, until: at.occurred_at + pause },
        ] {
            let events = [&started[..], &[ended][..]].concat();
            let mut follows = book([]);
            for event in &events {
                follows.apply(id, event, at);
            }
            for book in [follows, book([shown(&events, at)])] {
                assert_eq!(book.next_due(), Some(recorded_at + pause), "{wrong_by}: {events:?}");
            }
        }
        let given_up = [
            JobEvent::JobAttemptFailed { attempt: 1, failure, retry_at: None },
            JobEvent::JobDeadLettered { attempt: 1 },
            JobEvent::JobRedriven {},
        ];
        let mut begins = book([shown(&[&started[..], &given_up[..]].concat(), at)]);
        begins.release(recorded_at);
        assert_eq!(take(&mut begins, 1, Instant::now()), [1], "{wrong_by}: it is to be done again at once");
    }
}

#[test]
fn what_waits_for_a_slot_of_one_pool_does_not_stand_before_the_other() {
    let now = Instant::now();
    let keyed =
        |id, job_type: &str| OpenJob { key: Some("report".to_owned()), job_type: job_type.to_owned(), ..job(id, 1) };
    let mut book = book([keyed(1, "noop")]);
    assert_eq!(take(&mut book, 1, now), [1]);
    // One of each pool waits at the key; that of the pool without a slot is the first.
    book.load(&OpenJob { priority: 1, ..keyed(2, "code_execution") });
    book.load(&keyed(3, "noop"));
    assert_eq!(book.take(Pool::Sandbox, now), None);
    assert!(take(&mut book, 1, now).is_empty());
    end(&mut book, 1);
    assert_eq!(take(&mut book, 2, now), [3]);
    assert_eq!(book.take(Pool::Sandbox, now), None);
    end(&mut book, 3);
    let message = JobMessage { job_id: Uuid::from_u128(2), attempt: 1 };
    assert_eq!(book.take(Pool::Sandbox, now), Some(message));
}

#[test]
fn a_slow_receiver_takes_eight_slots_and_nothing_of_its_project() {
    let now = Instant::now();
    let delivery = |id, webhook: u128| OpenJob {
        job_type: "webhook_delivery".to_owned(),
        webhook_id: Some(Uuid::from_u128(webhook)),
        ..job(id, 1)
    };
    let mut book = Book::new(RunningLimits { per_organization: Some(1), ..RunningLimits::default() });
    (0..20).for_each(|id| book.load(&delivery(id, 5)));
    assert_eq!(take(&mut book, 20, now).len(), 8);
    book.load(&delivery(30, 6));
    book.load(&job(31, 1));
    let mut others = take(&mut book, 20, now);
    others.sort_unstable();
    assert_eq!(others, [30, 31]);
    end(&mut book, 0);
    assert_eq!(take(&mut book, 20, now).len(), 1);
}

#[test]
fn what_is_paused_waits_until_it_is_resumed_and_others_go_on() {
    let now = Instant::now();
    let mut book = book((0..4).map(|id| job(id, 1)));
    assert_eq!(take(&mut book, 1, now), [0]);
    book.set_rule(RULE, &paused(scope(1)), true, now);
    book.load(&job(4, 1));
    book.load(&job(10, 2));
    assert_eq!(take(&mut book, 9, now), [10]);
    assert_eq!(book.at_work(Pool::Service), 2, "what runs is not touched");
    book.set_rule(RULE, &Rule::none(scope(1)), true, now);
    let mut resumed = take(&mut book, 9, now);
    resumed.sort_unstable();
    assert_eq!(resumed, [1, 2, 3, 4]);
    for id in [0, 1, 2, 3, 4, 10] {
        end(&mut book, id);
    }
    assert_eq!((book.len(), book.at_work(Pool::Service)), (0, 0));
}

#[test]
fn a_rule_is_about_what_its_scope_names() {
    let now = Instant::now();
    let key = |key: &str| Key::parse(key).expect("a key");
    let with = |id, fairness_key: &str| OpenJob { fairness_key: Some(fairness_key.to_owned()), ..job(id, 1) };
    let delivery = OpenJob { job_type: "webhook_delivery".to_owned(), webhook_id: Some(RULE), ..job(3, 1) };
    let jobs = || [with(1, "a"), with(2, "b"), delivery.clone(), OpenJob { key: Some("k".to_owned()), ..job(4, 1) }];
    let project = RuleScope::all_of(RuleOwner::Project(ProjectId(Uuid::from_u128(1))));
    let cases = [
        (scope(1), vec![3]),
        (project.clone(), vec![3]),
        (RuleScope { fairness_key: Some(key("a")), ..scope(1) }, vec![2, 3, 4]),
        (RuleScope { key: Some(key("k")), ..project.clone() }, vec![1, 2, 3]),
        (RuleScope { job_type: Some("webhook_delivery".to_owned()), ..project }, vec![1, 2, 4]),
        (RuleScope { job_type: Some("code_execution".to_owned()), ..scope(1) }, vec![1, 2, 3, 4]),
        (scope(2), vec![1, 2, 3, 4]),
    ];
    for (scope, expected) in cases {
        // Whether the rule or the job was there first.
        let mut before = book(jobs());
        before.set_rule(RULE, &paused(scope.clone()), true, now);
        let mut behind = book([]);
        behind.set_rule(RULE, &paused(scope.clone()), true, now);
        for job in &jobs() {
            behind.load(job);
        }
        for book in [&mut before, &mut behind] {
            let mut taken = take(book, 9, now);
            taken.sort_unstable();
            assert_eq!(taken, expected, "{scope:?}");
        }
    }
}

#[test]
fn only_so_many_run_counting_those_that_ran_before() {
    let now = Instant::now();
    let mut book = book((0..9).map(|id| job(id, 1)));
    assert_eq!(take(&mut book, 2, now).len(), 2);
    let running = |number| Rule { running: Running::from_number(number), ..Rule::none(scope(1)) };
    book.set_rule(RULE, &running(3), true, now);
    assert_eq!(take(&mut book, 9, now).len(), 1);
    end(&mut book, 0);
    assert_eq!(take(&mut book, 9, now).len(), 1);
    book.set_rule(RULE, &running(5), true, now);
    assert_eq!(take(&mut book, 9, now).len(), 2);
    book.set_rule(RULE, &Rule::none(scope(1)), true, now);
    assert_eq!(take(&mut book, 9, now).len(), 3);
}

#[test]
fn so_many_start_in_a_time() {
    let start = Instant::now();
    let mut book = book((0..9).map(|id| job(id, 1)));
    book.set_rule(RULE, &Rule { rate: Rate::new(2, 1), ..Rule::none(scope(1)) }, true, start);
    assert_eq!(take(&mut book, 9, start).len(), 2);
    let half = Duration::from_millis(500);
    assert_eq!(book.next_refill(), Some(start + half));
    for step in 1..4 {
        book.refill(start + half * step);
        assert_eq!(take(&mut book, 9, start + half * step).len(), 1);
    }
    book.refill(start + half * 20);
    assert_eq!(take(&mut book, 9, start + half * 20).len(), 2, "nothing more is saved up");
    // Another dispatcher does not know what has started lately.
    let mut other = self::book((0..9).map(|id| job(id, 1)));
    other.set_rule(RULE, &Rule { rate: Rate::new(2, 1), ..Rule::none(scope(1)) }, false, start);
    assert!(take(&mut other, 9, start).is_empty());
    other.refill(start + half);
    assert_eq!(take(&mut other, 9, start + half).len(), 1);
}

#[test]
fn an_organization_that_weighs_three_times_as_much_gets_three_times_as_many_slots() {
    let now = Instant::now();
    let mut book = book((0..40).flat_map(|id| [job(id, 1), job(100 + id, 2)]));
    let weight = Rule { weight: Weight::from_number(3), ..Rule::none(scope(1)) };
    book.set_rule(RULE, &weight, true, now);
    let taken = take(&mut book, 40, now);
    assert_eq!(taken.iter().filter(|id| **id < 100).count(), 30, "{taken:?}");
}

/// That the event which set a rule was redacted.
fn redacted(fields: &[&str]) -> PayloadRedacted {
    PayloadRedacted {
        position: 7,
        event_id: RULE,
        event_type: "JobRuleChanged".to_owned(),
        reason: Name::parse("It named a customer.").expect("a reason"),
        remains: DIGEST,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

#[test]
fn a_rule_whose_keys_were_redacted_holds_nothing_back_until_it_is_set_again() {
    let now = Instant::now();
    for field in ["key", "fairness_key"] {
        let keyed = |id| match field {
            "key" => OpenJob { key: Some("a".to_owned()), ..job(id, 1) },
            _ => OpenJob { fairness_key: Some("a".to_owned()), ..job(id, 1) },
        };
        let name = Key::parse("a").ok();
        let scope = match field {
            "key" => RuleScope { key: name, ..scope(1) },
            _ => RuleScope { fairness_key: name, ..scope(1) },
        };
        let rule = paused(scope);
        let mut follows = book([keyed(1)]);
        follows.set_rule(RULE, &rule, true, now);
        assert!(take(&mut follows, 9, now).is_empty(), "{field}");
        follows.redact_rule(RULE, &redacted(&[]), now);
        assert!(take(&mut follows, 9, now).is_empty(), "another event of the rule was redacted");
        follows.redact_rule(RULE, &redacted(&[field]), now);
        // One that begins reads what remains.
        let mut begins = book([]);
        let mut remains = rule.clone();
        remains.scope.redact(&redacted(&[field]));
        begins.set_rule(RULE, &remains, false, now);
        begins.load(&keyed(1));
        for book in [&mut follows, &mut begins] {
            assert_eq!(take(book, 9, now), [1], "{field}");
            end(book, 1);
            book.load(&keyed(2));
            book.set_rule(RULE, &rule, true, now);
            assert!(take(book, 9, now).is_empty(), "{field}: it is set again");
            book.set_rule(RULE, &Rule::none(rule.scope.clone()), true, now);
            assert_eq!(take(book, 9, now), [2], "{field}");
        }
    }
}

#[test]
fn a_fairness_key_that_was_redacted_weighs_as_much_as_others() {
    let now = Instant::now();
    let with = |id, key: &str| OpenJob { fairness_key: Some(key.to_owned()), ..job(id, 1) };
    let weighed = |is_redacted: bool| {
        let mut book = book((0..40).flat_map(|id| [with(id, "a"), with(100 + id, "b")]));
        let scope = RuleScope { fairness_key: Key::parse("a").ok(), ..scope(1) };
        let weight = Rule { weight: Weight::from_number(3), ..Rule::none(scope) };
        book.set_rule(RULE, &weight, true, now);
        if is_redacted {
            book.redact_rule(RULE, &redacted(&["fairness_key"]), now);
        }
        take(&mut book, 40, now).into_iter().filter(|id| *id < 100).count()
    };
    assert_eq!((weighed(false), weighed(true)), (30, 20));
}

/// Lets one take after the other look at what waits, until none stops early: how many did, and what was handed out.
fn take_all(book: &mut Book, now: Instant) -> (usize, Vec<u128>) {
    let (mut unfinished, mut taken) = (0, Vec::new());
    loop {
        match book.take(Pool::Service, now) {
            Some(message) => taken.push(message.job_id.as_u128()),
            None if book.has_unfinished(Pool::Service) => unfinished += 1,
            None => return (unfinished, taken),
        }
    }
}

#[test]
fn two_gates_that_open_in_turns_move_a_backlog_in_small_steps() {
    const JOBS: u32 = 10_000;
    const OTHER_RULE: Uuid = Uuid::from_u128(0xfffe);
    let now = Instant::now();
    let mut book = book((0..u128::from(JOBS)).map(|id| job(id, 1)));
    let project = RuleScope::all_of(RuleOwner::Project(ProjectId(Uuid::from_u128(1))));
    let open = |scope: &RuleScope| Rule { running: Running::from_number(JOBS), ..Rule::none(scope.clone()) };
    let (first, other) = ((RULE, scope(1)), (OTHER_RULE, project));
    let steps = usize::try_from(JOBS / 64).expect("a number");
    book.set_rule(first.0, &paused(first.1.clone()), true, now);
    assert_eq!(take_all(&mut book, now), (steps, vec![]), "64 at a time come to the first gate");
    for (opens, closes) in [(&first, &other), (&other, &first), (&first, &other)] {
        book.set_rule(closes.0, &paused(closes.1.clone()), true, now);
        book.set_rule(opens.0, &open(&opens.1), true, now);
        assert_eq!(take_all(&mut book, now), (steps, vec![]), "64 at a time go from one gate to the other");
    }
    assert_eq!((book.len(), book.at_work(Pool::Service)), (10_000, 0));
    book.set_rule(other.0, &open(&other.1), true, now);
    let (unfinished, mut taken) = take_all(&mut book, now);
    taken.sort_unstable();
    assert_eq!(unfinished, 0);
    assert!(taken.into_iter().eq(0..u128::from(JOBS)), "each is handed out once");
}

#[test]
fn of_an_account_one_job_controls_others_at_a_time_in_all_projects() {
    let now = Instant::now();
    let control = |id, project: Option<u128>| OpenJob {
        job_type: "job_control".to_owned(),
        key: Some("job_control:7".to_owned()),
        project_id: project.map(Uuid::from_u128),
        organization_id: project.map(Uuid::from_u128),
        ..job(id, 1)
    };
    let of_another = OpenJob { submitted_by: Uuid::from_u128(8), ..control(4, Some(1)) };
    let mut book = book([control(1, Some(1)), control(2, Some(2)), control(3, None), of_another]);
    let mut seen = take(&mut book, 9, now);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.contains(&4), "another account's key is another: {seen:?}");
    end(&mut book, 4);
    seen.retain(|id| *id != 4);
    while let Some(last) = seen.pop() {
        end(&mut book, last);
        seen = take(&mut book, 9, now);
        assert_eq!(seen.len(), book.len().min(1), "{seen:?}");
    }
    assert_eq!(book.len(), 0);
}
