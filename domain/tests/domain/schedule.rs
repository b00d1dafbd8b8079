//! What a schedule answers.

use cqrs_es::test::TestFramework;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    change::Change,
    ids::{AccountId, JobId},
    job::{MaxAttempts, Priority, Work},
    schedule::{
        CronExpression, EverySeconds, JobTemplate, MissedRuns, NewSchedule, PassedOver, Run, Schedule, ScheduleChanges,
        ScheduleCommand, ScheduleEvent, ScheduleFields, SchedulePatch, ScheduleRefusal, ScheduleUpdate, Suspension,
        Tick, TimeZoneName, Timing, UniqueSeconds, UnknownTimeZone, Update,
    },
    timestamp::Timestamp,
};

use crate::examples::{ADA, BOB, PROJECT, WORKSPACE, key, name};

const JOB: JobId = JobId(Uuid::from_u128(0x70b));

fn schedule() -> TestFramework<Schedule> {
    TestFramework::with(())
}

fn at(at: OffsetDateTime) -> Timestamp {
    Timestamp::new(at).unwrap()
}

fn midnight() -> Timestamp {
    at(datetime!(2026-06-01 00:00 UTC))
}

/// When the schedule of the examples runs first.
fn first() -> Timestamp {
    at(datetime!(2026-06-01 03:30 UTC))
}

fn second() -> Timestamp {
    at(datetime!(2026-06-02 03:30 UTC))
}

fn template(key_name: &str) -> JobTemplate {
    JobTemplate {
        work: Work::Noop {},
        max_attempts: MaxAttempts::from_number(3).unwrap(),
        priority: Priority::default(),
        key: Some(key(key_name)),
        fairness_key: None,
        workspace_id: None,
        unique_seconds: None,
    }
}

fn timing(expression: &str) -> Timing {
    Timing::Cron(CronExpression::parse(expression).unwrap())
}

fn every(seconds: u32) -> Timing {
    Timing::EverySeconds(EverySeconds::from_number(seconds).unwrap())
}

fn new() -> NewSchedule {
    NewSchedule {
        project_id: Some(PROJECT),
        created_by: ADA,
        fields: ScheduleFields {
            name: Some(name("Nightly")),
            timing: timing("30 3 * * *"),
            time_zone: TimeZoneName::default(),
            missed: MissedRuns::One,
            paused: false,
            job: template("nightly"),
        },
        counted_from: midnight(),
        next_at: Some(first()),
    }
}

fn create() -> ScheduleCommand {
    ScheduleCommand::Create(Box::new(new()))
}

fn created() -> ScheduleEvent {
    ScheduleEvent::ScheduleCreated(Box::new(new()))
}

fn update(patch: SchedulePatch, next_at: Option<Timestamp>) -> Update {
    Update { patch, by: BOB, resumes: false, at: second(), next_at }
}

fn change(update: Update) -> ScheduleCommand {
    ScheduleCommand::Update(Box::new(update))
}

fn updated(changes: ScheduleChanges, next_at: Option<Timestamp>) -> ScheduleEvent {
    updated_for(ADA, changes, next_at)
}

/// The same; the schedule acts for this account from then on.
fn updated_for(acts_for: AccountId, changes: ScheduleChanges, next_at: Option<Timestamp>) -> ScheduleEvent {
    let update = ScheduleUpdate { changes, acts_for, counted_from: midnight(), next_at };
    ScheduleEvent::ScheduleUpdated(Box::new(update))
}

fn paused(from: bool) -> ScheduleChanges {
    ScheduleChanges { paused: Some(Change { from, to: !from }), ..ScheduleChanges::default() }
}

fn pause(paused: bool) -> SchedulePatch {
    SchedulePatch { paused: Some(paused), ..SchedulePatch::default() }
}

fn tick() -> Tick {
    Tick { tick_at: first(), run: Run::Submitted(JOB), made_up: 0, next_at: Some(second()) }
}

fn ticked() -> ScheduleEvent {
    let (tick_at, next_at) = (first(), Some(second()));
    ScheduleEvent::ScheduleTicked { tick_at, job_id: Some(JOB), made_up: 0, next_at, passed_over: None }
}

/// The second run, passed over.
fn passed_over(reason: Option<PassedOver>) -> ScheduleEvent {
    ScheduleEvent::ScheduleTicked { tick_at: second(), job_id: None, made_up: 0, next_at: None, passed_over: reason }
}

fn suspended() -> ScheduleEvent {
    ScheduleEvent::ScheduleSuspended { reason: Suspension::RightLost }
}

fn folded(events: &[ScheduleEvent]) -> Schedule {
    let mut schedule = Schedule::default();
    for event in events {
        schedule.evolve(event);
    }
    schedule
}

#[test]
fn a_schedule_is_created_once() {
    schedule().given_no_previous_events().when(create()).then_expect_events(vec![created()]);
    schedule().given(vec![created()]).when(create()).then_expect_error(ScheduleRefusal::AlreadyExists);
    let deleted = vec![created(), ScheduleEvent::ScheduleDeleted {}];
    schedule().given(deleted).when(create()).then_expect_error(ScheduleRefusal::AlreadyExists);
}

#[test]
fn a_schedule_that_is_created_paused_does_not_run() {
    let mut rests = new();
    rests.fields.paused = true;
    let begins = ScheduleCommand::Create(Box::new(rests.clone()));
    rests.next_at = None;
    let created = ScheduleEvent::ScheduleCreated(Box::new(rests));
    schedule().given_no_previous_events().when(begins).then_expect_events(vec![created]);
}

#[test]
fn a_tick_tells_its_job_and_the_next_one() {
    schedule().given(vec![created()]).when(ScheduleCommand::Tick(tick())).then_expect_events(vec![ticked()]);
    let state = folded(&[created(), ticked()]);
    let state = state.present().unwrap();
    assert_eq!((state.next_at, state.last_run), (Some(second()), Some((first(), JOB))));
}

#[test]
fn a_run_that_is_passed_over_submits_nothing_and_says_why() {
    for reason in [PassedOver::Missed, PassedOver::EarlierJob, PassedOver::WorkspaceUnfit] {
        let pass = Tick { tick_at: second(), run: Run::PassedOver(reason), made_up: 0, next_at: None };
        let passed = passed_over(Some(reason));
        schedule()
            .given(vec![created(), ticked()])
            .when(ScheduleCommand::Tick(pass))
            .then_expect_events(vec![passed.clone()]);
        let state = folded(&[created(), ticked(), passed]);
        let state = state.present().unwrap();
        assert_eq!((state.next_at, state.last_run), (None, Some((first(), JOB))), "it is no run");
        assert_eq!(state.passed_over, Some(reason));
    }
    // Formerly none said why; the next job ends it.
    let state = folded(&[created(), passed_over(None)]);
    assert_eq!(state.present().unwrap().passed_over, None);
    let state = folded(&[created(), passed_over(Some(PassedOver::EarlierJob)), ticked()]);
    assert_eq!(state.present().unwrap().passed_over, None);
}

#[test]
fn a_tick_comes_once_and_only_when_it_is_due() {
    let again = ScheduleCommand::Tick(tick());
    schedule().given(vec![created(), ticked()]).when(again.clone()).then_expect_error(ScheduleRefusal::NotDue);
    let rests = vec![created(), updated(paused(false), None)];
    schedule().given(rests).when(again.clone()).then_expect_error(ScheduleRefusal::NotDue);
    schedule().given(vec![created(), suspended()]).when(again).then_expect_error(ScheduleRefusal::NotDue);
    let early = Tick { tick_at: second(), ..tick() };
    let early = ScheduleCommand::Tick(early);
    schedule().given(vec![created()]).when(early).then_expect_error(ScheduleRefusal::NotDue);
}

#[test]
fn an_update_tells_what_changed_and_when_it_runs_next() {
    let patch = SchedulePatch {
        name: Some(None),
        timing: Some(timing("30 3 * * *")),
        missed: Some(MissedRuns::All),
        ..SchedulePatch::default()
    };
    let changes = ScheduleChanges {
        name: Some(Change { from: Some(name("Nightly")), to: None }),
        missed: Some(Change { from: MissedRuns::One, to: MissedRuns::All }),
        ..ScheduleChanges::default()
    };
    let updated = updated_for(BOB, changes, Some(first()));
    schedule().given(vec![created()]).when(change(update(patch, Some(first())))).then_expect_events(vec![updated]);
    let nothing = update(SchedulePatch::default(), Some(first()));
    schedule().given(vec![created()]).when(change(nothing)).then_expect_events(vec![]);
}

/// The account that the schedule of the examples acts for after a patch by Bob.
fn acts_for(events: &[ScheduleEvent], patch: SchedulePatch) -> AccountId {
    let mut schedule = folded(events);
    for event in schedule.decide(change(update(patch, Some(first())))).unwrap() {
        schedule.evolve(&event);
    }
    schedule.present().unwrap().acts_for
}

#[test]
fn a_schedule_acts_for_who_last_changed_what_is_run_or_when() {
    let none = SchedulePatch::default;
    let time_zone = Some(TimeZoneName::parse("Europe/Berlin").unwrap());
    let unique_seconds = UniqueSeconds::from_number(60);
    for patch in [
        SchedulePatch { job: Some(template("hourly")), ..none() },
        SchedulePatch { job: Some(JobTemplate { workspace_id: Some(WORKSPACE), ..template("nightly") }), ..none() },
        SchedulePatch { job: Some(JobTemplate { unique_seconds, ..template("nightly") }), ..none() },
        SchedulePatch { timing: Some(timing("* * * * *")), ..none() },
        SchedulePatch { time_zone, ..none() },
        SchedulePatch { missed: Some(MissedRuns::All), ..none() },
    ] {
        assert_eq!(acts_for(&[created()], patch.clone()), BOB, "{patch:?}");
    }
    let rests = [created(), updated(paused(false), None)];
    assert_eq!(acts_for(&rests, pause(false)), BOB, "whoever lets it go on");
    // What runs nothing leaves the name; nor does it count to ask for what is so.
    for patch in [
        SchedulePatch { name: Some(None), ..none() },
        pause(true),
        pause(false),
        SchedulePatch { job: Some(template("nightly")), timing: Some(timing("30 3 * * *")), ..none() },
    ] {
        assert_eq!(acts_for(&[created()], patch.clone()), ADA, "{patch:?}");
    }
}

#[test]
fn only_another_timetable_begins_anew_to_count_what_is_made_up() {
    let (tick_at, next_at) = (first(), Some(second()));
    let made_up = ScheduleEvent::ScheduleTicked { tick_at, job_id: Some(JOB), made_up: 7, next_at, passed_over: None };
    let missed = Some(Change { from: MissedRuns::One, to: MissedRuns::All });
    let others = ScheduleChanges {
        name: Some(Change { from: Some(name("Nightly")), to: None }),
        missed,
        job: Some(Change { from: template("nightly"), to: template("hourly") }),
        ..ScheduleChanges::default()
    };
    let count = |changes| {
        let state = folded(&[created(), made_up.clone(), updated_for(BOB, changes, Some(second()))]);
        state.present().unwrap().made_up
    };
    assert_eq!(count(others), 7);
    let timing = Some(Change { from: timing("30 3 * * *"), to: every(5) });
    assert_eq!(count(ScheduleChanges { timing, ..ScheduleChanges::default() }), 0);
    let to = TimeZoneName::parse("Europe/Berlin").unwrap();
    let time_zone = Some(Change { from: TimeZoneName::default(), to });
    assert_eq!(count(ScheduleChanges { time_zone, ..ScheduleChanges::default() }), 0);
}

#[test]
fn a_new_interval_is_counted_from_when_it_was_given() {
    let patch = SchedulePatch { timing: Some(every(5)), ..SchedulePatch::default() };
    let timing = Some(Change { from: timing("30 3 * * *"), to: every(5) });
    let changes = ScheduleChanges { timing, ..ScheduleChanges::default() };
    let (acts_for, counted_from, next_at) = (BOB, second(), Some(second()));
    let event = ScheduleEvent::ScheduleUpdated(Box::new(ScheduleUpdate { changes, acts_for, counted_from, next_at }));
    schedule().given(vec![created()]).when(change(update(patch, Some(second())))).then_expect_events(vec![event]);
}

#[test]
fn a_paused_schedule_does_not_run_until_it_is_to() {
    let rests = updated(paused(false), None);
    let stop = change(update(pause(true), Some(first())));
    schedule().given(vec![created()]).when(stop).then_expect_events(vec![rests.clone()]);
    let goes_on = updated_for(BOB, paused(true), Some(second()));
    let start = change(update(pause(false), Some(second())));
    schedule().given(vec![created(), rests.clone()]).when(start).then_expect_events(vec![goes_on]);
    // What else changes does not wake it.
    let patch = SchedulePatch { missed: Some(MissedRuns::Skip), ..SchedulePatch::default() };
    let missed = Some(Change { from: MissedRuns::One, to: MissedRuns::Skip });
    let changes = ScheduleChanges { missed, ..ScheduleChanges::default() };
    let event = updated_for(BOB, changes, None);
    let command = change(update(patch, Some(second())));
    schedule().given(vec![created(), rests]).when(command).then_expect_events(vec![event]);
}

#[test]
fn a_suspended_schedule_goes_on_in_the_name_of_who_resumes_it() {
    let suspend = || ScheduleCommand::Suspend { reason: Suspension::RightLost };
    schedule().given(vec![created()]).when(suspend()).then_expect_events(vec![suspended()]);
    schedule().given(vec![created(), suspended()]).when(suspend()).then_expect_events(vec![]);
    schedule().given(vec![created(), updated(paused(false), None)]).when(suspend()).then_expect_events(vec![]);

    let resumed = ScheduleEvent::ScheduleResumed { acts_for: BOB, next_at: Some(second()) };
    let resume = Update { resumes: true, ..update(pause(false), Some(second())) };
    let events = vec![created(), suspended()];
    schedule().given(events).when(change(resume)).then_expect_events(vec![resumed.clone()]);
    let state = folded(&[created(), suspended(), resumed]);
    let state = state.present().unwrap();
    assert_eq!((state.suspended, state.acts_for, state.next_at), (None, BOB, Some(second())));

    // To change it is not to resume it.
    let patch = SchedulePatch { name: Some(None), ..SchedulePatch::default() };
    let name = Some(Change { from: Some(name("Nightly")), to: None });
    let renamed = updated(ScheduleChanges { name, ..ScheduleChanges::default() }, None);
    let command = change(update(patch, Some(second())));
    schedule().given(vec![created(), suspended()]).when(command).then_expect_events(vec![renamed]);
}

#[test]
fn runs_do_not_change_the_version() {
    assert_eq!(folded(&[created(), ticked()]).present().unwrap().version, 1);
    assert_eq!(folded(&[created(), ticked(), suspended()]).present().unwrap().version, 3);
}

#[test]
fn nothing_happens_to_a_schedule_that_is_not_there() {
    let commands: [fn() -> ScheduleCommand; 4] = [
        || change(update(pause(true), None)),
        || ScheduleCommand::Tick(tick()),
        || ScheduleCommand::Suspend { reason: Suspension::ProjectDeleted },
        || ScheduleCommand::Delete,
    ];
    for command in commands {
        schedule().given_no_previous_events().when(command()).then_expect_error(ScheduleRefusal::Absent);
        let deleted = vec![created(), ScheduleEvent::ScheduleDeleted {}];
        schedule().given(deleted).when(command()).then_expect_error(ScheduleRefusal::Absent);
    }
    let deleted = vec![ScheduleEvent::ScheduleDeleted {}];
    schedule().given(vec![created()]).when(ScheduleCommand::Delete).then_expect_events(deleted);
}

#[test]
fn a_schedule_is_in_the_feed_of_its_project_or_else_of_its_account() {
    let id = Uuid::from_u128(9);
    assert_eq!(folded(&[created()]).feed(id), PROJECT.0);
    assert_eq!(folded(&[created(), ScheduleEvent::ScheduleDeleted {}]).feed(id), PROJECT.0);
    let own = ScheduleEvent::ScheduleCreated(Box::new(NewSchedule { project_id: None, ..new() }));
    assert_eq!(folded(std::slice::from_ref(&own)).feed(id), ADA.0);
    assert_eq!(folded(&[own, ScheduleEvent::ScheduleDeleted {}]).feed(id), ADA.0);
}

#[test]
fn an_interval_is_a_second_to_a_year() {
    assert_eq!(EverySeconds::from_number(1).map(EverySeconds::number), Some(1));
    assert!(EverySeconds::from_number(EverySeconds::LIMIT).is_some());
    assert!([0, EverySeconds::LIMIT + 1].into_iter().all(|seconds| EverySeconds::from_number(seconds).is_none()));
}

#[test]
fn a_job_is_the_only_one_for_a_second_to_a_week() {
    assert_eq!(UniqueSeconds::from_number(1).map(UniqueSeconds::number), Some(1));
    assert!(UniqueSeconds::from_number(UniqueSeconds::LIMIT).is_some());
    assert!([0, UniqueSeconds::LIMIT + 1].into_iter().all(|seconds| UniqueSeconds::from_number(seconds).is_none()));
}

#[test]
fn a_name_of_a_time_zone_is_checked_for_its_form() {
    for good in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
        assert_eq!(TimeZoneName::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "Europe/Zürich", "UTC ", "a\0b", &"x".repeat(65)] {
        assert_eq!(TimeZoneName::parse(bad), Err(UnknownTimeZone), "{bad}");
    }
}
