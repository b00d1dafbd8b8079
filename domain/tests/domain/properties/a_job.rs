//! What holds of every job, whatever its workers report and whoever cancels or redrives it.

use workroom_domain::{
    file::Sha256,
    ids::ScheduleId,
    job::{
        CancelReason, Code, ControlAction, ControlCounts, ControlFilter, InlineProgram, Input, Interruption, Job,
        JobCommand, JobEvent, JobState, JobStatus, Key, Language, LimitHit, MAX_SUSPICIONS, MaxAttempts, Outcome,
        Priority, Request, Source, Timeout, Work,
    },
};

use super::*;

fn source() -> impl Strategy<Value = Source> {
    let input = (any::<u32>(), any::<[u8; 32]>())
        .prop_map(|(size, digest)| Source::Input(Input { size, sha256: Sha256(digest) }));
    let code = text(12).prop_filter_map("not code", |text| Code::parse(text).ok());
    let stdin = option::of(text(12).prop_filter_map("not input", |text| Code::parse_input(text).ok()));
    prop_oneof![input, (code, stdin).prop_map(|(code, stdin)| Source::Inline(InlineProgram { code, stdin }))]
}

fn work() -> impl Strategy<Value = Work> {
    let language =
        select(&["python", "bash", "c++", "objective-c"][..]).prop_map(|name| Language::parse(name).unwrap());
    let timeout = (1..=Timeout::LIMIT).prop_map(|seconds| Timeout::from_seconds(seconds).unwrap());
    let program = (language, timeout, source()).prop_map(|(language, timeout_seconds, source)| Work::CodeExecution {
        language,
        timeout_seconds,
        source,
    });
    let action = select(&[ControlAction::Cancel, ControlAction::Retry, ControlAction::Delete][..]);
    let status = option::of(select(&[JobStatus::Pending, JobStatus::Failed, JobStatus::Cancelled][..]));
    let control = (action, option::of(organization_id()), status, option::of(key()), option::of(key())).prop_map(
        |(action, organization_id, status, key, fairness_key)| {
            let filter = ControlFilter { organization_id, status, key, fairness_key, ..ControlFilter::default() };
            Work::JobControl { action, filter }
        },
    );
    prop_oneof![4 => program, 1 => Just(Work::Noop {}), 1 => control]
}

fn key() -> impl Strategy<Value = Key> {
    text(12).prop_filter_map("not a key", |text| Key::parse(&text).ok())
}

fn request() -> impl Strategy<Value = Request> {
    let owner = (option::of(project_id()), option::of(organization_id()), account_id());
    let numbers = (1..=5_u32, 1..=Priority::LEAST);
    let order = (option::of(moment()), option::of(key()), option::of(key()));
    let schedule = option::of(any::<u128>().prop_map(|id| ScheduleId(Uuid::from_u128(id))));
    (owner, work(), numbers, order, schedule).prop_map(|(owner, work, numbers, order, schedule_id)| {
        let ((attempts, priority), (run_at, key, fairness_key)) = (numbers, order);
        let (project_id, organization_id, submitted_by) = owner;
        Request {
            project_id,
            organization_id,
            submitted_by,
            work,
            max_attempts: MaxAttempts::from_number(attempts).unwrap(),
            priority: Priority::from_number(priority).unwrap(),
            run_at,
            key,
            fairness_key,
            schedule_id,
        }
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use LimitHit::{Disk, Memory, Output, Processes, Time};
    let limit_hit = option::weighted(0.2, select(&[Time, Memory, Output, Processes, Disk][..]));
    let counts = (any::<u64>(), any::<u64>(), any::<u64>());
    let counts = counts.prop_map(|(matched, changed, refused)| ControlCounts { matched, changed, refused });
    let control = option::weighted(0.2, counts);
    (option::of(any::<i32>()), any::<u64>(), any::<bool>(), limit_hit, control).prop_map(
        |(exit_code, execution_time_ms, truncated, limit_hit, control)| Outcome {
            exit_code,
            execution_time_ms,
            truncated,
            limit_hit,
            control,
        },
    )
}

fn interruption() -> impl Strategy<Value = Interruption> {
    select(&[Interruption::WorkerStopped, Interruption::WorkerLost, Interruption::WorkerFailed][..])
}

fn reason() -> impl Strategy<Value = CancelReason> {
    select(vec![
        CancelReason::ProjectDeleted,
        CancelReason::Requested,
        CancelReason::Superseded,
        CancelReason::AccountErased,
        CancelReason::AccountDeactivated,
    ])
}

/// The attempt that a worker names: mostly the right one, else one that it is too late or too early for.
#[derive(Clone, Copy, Debug)]
struct Named(i64);

impl Named {
    const RIGHT: Self = Self(0);

    fn near(self, right: u32) -> u32 {
        u32::try_from(i64::from(right) + self.0).unwrap_or(0)
    }
}

fn named() -> impl Strategy<Value = Named> {
    prop_oneof![6 => Just(0), 1 => -2..=2_i64].prop_map(Named)
}

#[derive(Clone, Debug)]
enum Wish {
    Request(Box<Request>),
    Start(Named, u128),
    Succeed(Named, Outcome),
    Fail(Named, Outcome, Option<OffsetDateTime>),
    Snooze(Named, OffsetDateTime),
    Interrupt(Named, Interruption, OffsetDateTime),
    Cancel(CancelReason),
    Redrive,
    Delete,
}

fn wish() -> impl Strategy<Value = Wish> {
    let retry_at = option::weighted(0.9, moment());
    prop_oneof![
        2 => request().prop_map(|request| Wish::Request(Box::new(request))),
        8 => (named(), any::<u128>()).prop_map(|(attempt, worker)| Wish::Start(attempt, worker)),
        1 => (named(), outcome()).prop_map(|(attempt, end)| Wish::Succeed(attempt, end)),
        4 => (named(), outcome(), retry_at).prop_map(|(attempt, end, at)| Wish::Fail(attempt, end, at)),
        1 => (named(), moment()).prop_map(|(attempt, until)| Wish::Snooze(attempt, until)),
        3 => (named(), interruption(), moment()).prop_map(|(attempt, cause, at)| Wish::Interrupt(attempt, cause, at)),
        1 => reason().prop_map(Wish::Cancel),
        2 => Just(Wish::Redrive),
        1 => Just(Wish::Delete),
    ]
}

fn command(job: &Job, wish: Wish) -> JobCommand {
    let current = job.requested().map_or(0, |state| state.attempt);
    match wish {
        Wish::Request(request) => JobCommand::Request(request),
        Wish::Start(attempt, worker) => {
            JobCommand::Start { attempt: attempt.near(current + 1), worker_id: Uuid::from_u128(worker) }
        }
        Wish::Succeed(attempt, outcome) => JobCommand::Succeed { attempt: attempt.near(current), outcome },
        Wish::Fail(attempt, outcome, retry_at) => {
            JobCommand::Fail { attempt: attempt.near(current), outcome, retry_at }
        }
        Wish::Snooze(attempt, until) => JobCommand::Snooze { attempt: attempt.near(current), until },
        Wish::Interrupt(attempt, cause, retry_at) => {
            JobCommand::Interrupt { attempt: attempt.near(current), cause, retry_at }
        }
        Wish::Cancel(reason) => JobCommand::Cancel { reason },
        Wish::Redrive => JobCommand::Redrive,
        Wish::Delete => JobCommand::Delete,
    }
}

/// What is true of the state of every job.
fn is_sound(state: &JobState) {
    let most = state.request.max_attempts.number();
    assert!(state.failures <= most, "failed {} of {most} times", state.failures);
    assert!(state.suspicions <= MAX_SUSPICIONS);
    assert!(state.failures + state.suspicions <= state.attempt, "an attempt counts twice: {state:?}");
    assert_eq!(state.is_open(), matches!(state.status, JobStatus::Pending | JobStatus::Running));
    if state.is_open() {
        assert!(state.failures < most && state.suspicions < MAX_SUSPICIONS, "has no attempts left: {state:?}");
    }
}

fn holds(step: &Step<Job>) {
    let Ok(after) = step.after.requested() else { return };
    is_sound(after);
    let Ok(before) = step.before.requested() else {
        assert_eq!((after.status, after.attempt), (JobStatus::Pending, 0));
        return;
    };
    assert_eq!(before.request, after.request);
    let is_next = after.attempt == before.attempt + 1 && after.status == JobStatus::Running;
    assert!(after.attempt == before.attempt || is_next, "attempt {} became {}", before.attempt, after.attempt);
    let is_redriven = matches!(step.answer.as_deref(), Ok([JobEvent::JobRedriven {}]));
    let is_deleted = matches!(step.answer.as_deref(), Ok([JobEvent::JobDeleted {}]));
    assert_eq!(is_deleted, before.status != JobStatus::Deleted && after.status == JobStatus::Deleted);
    assert!(
        before.is_open() || before == after || is_redriven || is_deleted,
        "{:?} became {:?}",
        before.status,
        after.status
    );
}

/// The attempts are 1, 2, 3, …, and none ends twice. The job is given up after an attempt without a next time, and only
/// then. After an end nothing comes but a redrive, and after success not even that; or it is deleted, and then nothing comes.
fn tells_a_whole_story(history: &[JobEvent]) {
    let (mut latest, mut is_running, mut was_last, mut end) = (0, false, false, None);
    for (index, event) in history.iter().enumerate() {
        assert_eq!(index == 0, matches!(event, JobEvent::JobRequested(_)), "{event:?} at {index}");
        assert_eq!(was_last, matches!(event, JobEvent::JobDeadLettered { .. }), "{event:?} at {index}");
        let is_behind_an_end = matches!(event, JobEvent::JobRedriven {} | JobEvent::JobDeleted {});
        assert_eq!(end.is_some(), is_behind_an_end, "{event:?} after {end:?}");
        match event {
            JobEvent::JobRequested(_) => {}
            JobEvent::JobStarted { attempt, .. } => {
                assert_eq!((*attempt, is_running), (latest + 1, false));
                (latest, is_running) = (*attempt, true);
            }
            JobEvent::JobSucceeded { attempt, .. } => {
                assert_eq!((*attempt, is_running), (latest, true));
                (is_running, end) = (false, Some(JobStatus::Completed));
            }
            JobEvent::JobAttemptFailed { attempt, retry_at, .. }
            | JobEvent::JobInterrupted { attempt, retry_at, .. } => {
                assert_eq!((*attempt, is_running), (latest, true));
                (is_running, was_last) = (false, retry_at.is_none());
            }
            JobEvent::JobSnoozed { attempt, .. } => {
                assert_eq!((*attempt, is_running), (latest, true));
                is_running = false;
            }
            JobEvent::JobDeadLettered { attempt } => {
                assert_eq!((*attempt, is_running), (latest, false));
                (was_last, end) = (false, Some(JobStatus::Failed));
            }
            JobEvent::JobCancelled { .. } => (is_running, end) = (false, Some(JobStatus::Cancelled)),
            JobEvent::JobRedriven {} => {
                assert!(!matches!(end, Some(JobStatus::Completed | JobStatus::Deleted)), "{event:?} after {end:?}");
                end = None;
            }
            JobEvent::JobDeleted {} => {
                assert_ne!(end, Some(JobStatus::Deleted));
                end = Some(JobStatus::Deleted);
            }
            JobEvent::PayloadRedacted(_) => panic!("no command of a job redacts"),
        }
    }
    assert!(!was_last, "the job was not given up");
}

proptest! {
    #[test]
    fn counts_its_attempts_and_ends_once_unless_redriven(wishes in vec(wish(), 0..60)) {
        tells_a_whole_story(&live(wishes, command, holds));
    }

    /// Between two failures it can be interrupted, but not too often in a row.
    #[test]
    fn ends_however_often_it_fails(
        request in request(),
        attempts in 1..=3_u32,
        failures in vec(option::of(outcome()), usize::try_from(3 * MAX_SUSPICIONS).unwrap()),
        at in moment(),
    ) {
        let max_attempts = MaxAttempts::from_number(attempts).unwrap();
        let mut wishes = vec![Wish::Request(Box::new(Request { max_attempts, ..request }))];
        for failure in failures.into_iter().take(usize::try_from(attempts * MAX_SUSPICIONS).unwrap()) {
            wishes.push(Wish::Start(Named::RIGHT, 1));
            wishes.push(match failure {
                Some(outcome) => Wish::Fail(Named::RIGHT, outcome, Some(at)),
                None => Wish::Interrupt(Named::RIGHT, Interruption::WorkerLost, at),
            });
        }
        let history = live(wishes, command, holds);
        let is_given_up = matches!(history.last(), Some(JobEvent::JobDeadLettered { .. }));
        assert!(is_given_up, "{:?}", history.last());
    }

    #[test]
    fn is_never_given_up_for_what_is_not_its_doing(
        request in request(),
        ends in vec(any::<bool>(), 0..30),
        at in moment(),
    ) {
        let expected = 1 + 2 * ends.len();
        let mut wishes = vec![Wish::Request(Box::new(request))];
        for is_too_early in ends {
            wishes.push(Wish::Start(Named::RIGHT, 1));
            wishes.push(if is_too_early {
                Wish::Snooze(Named::RIGHT, at)
            } else {
                Wish::Interrupt(Named::RIGHT, Interruption::WorkerStopped, at)
            });
        }
        let history = live(wishes, command, |step: &Step<Job>| {
            holds(step);
            let state = step.after.requested().unwrap();
            assert!(state.is_open() && state.failures == 0 && state.suspicions == 0, "{state:?}");
        });
        assert_eq!(history.len(), expected, "something was refused, or came beside");
    }
}
