//! What a job answers: its attempts, its retries and its end.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    job::{
        AttemptFailure, CancelReason, Interruption, Job, JobCommand, JobEvent, JobRefusal, JobStatus, MAX_SUSPICIONS,
        Outcome, Request,
    },
};

use crate::examples::{
    self, BOB, OTHER_WORKER, PROJECT, WORKER, failure, full_request, later, max_attempts, success, timed_out,
};

const INTERRUPTIONS: [Interruption; 3] =
    [Interruption::WorkerStopped, Interruption::WorkerLost, Interruption::WorkerFailed];
const SUSPICIOUS: [Interruption; 2] = [Interruption::WorkerLost, Interruption::WorkerFailed];
const REASONS: [CancelReason; 5] = [
    CancelReason::ProjectDeleted,
    CancelReason::Requested,
    CancelReason::Superseded,
    CancelReason::AccountErased,
    CancelReason::AccountDeactivated,
];

fn job() -> TestFramework<Job> {
    TestFramework::with(())
}

fn asked(attempts: u32) -> Box<Request> {
    Box::new(Request { max_attempts: max_attempts(attempts), ..examples::request() })
}

fn request(attempts: u32) -> JobCommand {
    JobCommand::Request(asked(attempts))
}

fn start(attempt: u32) -> JobCommand {
    JobCommand::Start { attempt, worker_id: WORKER }
}

fn succeed(attempt: u32) -> JobCommand {
    JobCommand::Succeed { attempt, outcome: success() }
}

fn fail(attempt: u32) -> JobCommand {
    JobCommand::Fail { attempt, outcome: failure(), retry_at: Some(later()) }
}

fn snooze(attempt: u32) -> JobCommand {
    JobCommand::Snooze { attempt, until: later() }
}

fn interrupt(attempt: u32, cause: Interruption) -> JobCommand {
    JobCommand::Interrupt { attempt, cause, retry_at: later() }
}

fn cancel() -> JobCommand {
    JobCommand::Cancel { reason: CancelReason::Requested }
}

fn requested(attempts: u32) -> JobEvent {
    JobEvent::JobRequested(asked(attempts))
}

fn started(attempt: u32) -> JobEvent {
    JobEvent::JobStarted { attempt, worker_id: WORKER }
}

fn succeeded(attempt: u32) -> JobEvent {
    JobEvent::JobSucceeded { attempt, outcome: success() }
}

fn failed(attempt: u32) -> JobEvent {
    let failure = AttemptFailure::Program { outcome: failure() };
    JobEvent::JobAttemptFailed { attempt, failure, retry_at: Some(later()) }
}

fn failed_for_good(attempt: u32) -> [JobEvent; 2] {
    let failure = AttemptFailure::Program { outcome: failure() };
    [JobEvent::JobAttemptFailed { attempt, failure, retry_at: None }, JobEvent::JobDeadLettered { attempt }]
}

fn snoozed(attempt: u32) -> JobEvent {
    JobEvent::JobSnoozed { attempt, uncounted: attempt, until: later() }
}

fn interrupted(attempt: u32, cause: Interruption) -> JobEvent {
    JobEvent::JobInterrupted { attempt, cause, uncounted: attempt, retry_at: Some(later()) }
}

fn interrupted_for_good(attempt: u32, cause: Interruption) -> [JobEvent; 2] {
    [
        JobEvent::JobInterrupted { attempt, cause, uncounted: attempt, retry_at: None },
        JobEvent::JobDeadLettered { attempt },
    ]
}

fn stopped(attempt: u32) -> JobEvent {
    interrupted(attempt, Interruption::WorkerStopped)
}

fn lost(attempt: u32) -> JobEvent {
    interrupted(attempt, Interruption::WorkerLost)
}

fn worker_failed(attempt: u32) -> JobEvent {
    interrupted(attempt, Interruption::WorkerFailed)
}

/// As version 1 told of every interruption.
fn interrupted_in_version_1(attempt: u32) -> JobEvent {
    JobEvent::JobAttemptFailed { attempt, failure: AttemptFailure::Interrupted, retry_at: Some(later()) }
}

fn cancelled() -> JobEvent {
    JobEvent::JobCancelled { reason: CancelReason::Requested }
}

fn redriven() -> JobEvent {
    JobEvent::JobRedriven {}
}

fn completed() -> Vec<JobEvent> {
    vec![requested(3), started(1), succeeded(1)]
}

/// A job of one attempt that failed.
fn dead_lettered() -> Vec<JobEvent> {
    [vec![requested(1), started(1)], failed_for_good(1).to_vec()].concat()
}

/// A job that was cancelled while its first attempt ran.
fn cancelled_while_running() -> Vec<JobEvent> {
    vec![requested(3), started(1), cancelled()]
}

/// A job in each state that is an end, after one attempt.
fn over() -> [(Vec<JobEvent>, JobStatus); 3] {
    [
        (completed(), JobStatus::Completed),
        (dead_lettered(), JobStatus::Failed),
        (cancelled_while_running(), JobStatus::Cancelled),
    ]
}

/// A job in each state that is none.
fn open() -> [(Vec<JobEvent>, JobStatus); 4] {
    [
        (vec![requested(3)], JobStatus::Pending),
        (vec![requested(3), started(1)], JobStatus::Running),
        (vec![requested(3), started(1), failed(1)], JobStatus::Pending),
        (vec![requested(3), started(1), failed(1), started(2)], JobStatus::Running),
    ]
}

/// How an attempt ended.
type End = fn(u32) -> JobEvent;

/// A job that runs, after one attempt with each of these ends.
fn running_after(attempts: u32, ends: impl IntoIterator<Item = End>) -> Vec<JobEvent> {
    let mut history = vec![requested(attempts)];
    let mut attempt = 1;
    for end in ends {
        history.extend([started(attempt), end(attempt)]);
        attempt += 1;
    }
    history.push(started(attempt));
    history
}

fn times(number: u32, end: End) -> Vec<End> {
    vec![end; usize::try_from(number).unwrap()]
}

fn after(events: &[JobEvent]) -> Job {
    let mut job = Job::default();
    for event in events {
        job.evolve(event);
    }
    job
}

fn status(history: &[JobEvent]) -> JobStatus {
    after(history).requested().unwrap().status
}

/// The latest attempt.
fn attempt(history: &[JobEvent]) -> u32 {
    after(history).requested().unwrap().attempt
}

/// Every report that a worker, or the search for lost workers, can make of an attempt.
fn reports(attempt: u32) -> Vec<JobCommand> {
    let gives_up = JobCommand::Fail { attempt, outcome: failure(), retry_at: None };
    let interruptions = INTERRUPTIONS.map(|cause| interrupt(attempt, cause));
    [succeed(attempt), fail(attempt), gives_up, snooze(attempt)].into_iter().chain(interruptions).collect()
}

fn refuses_reports(history: &[JobEvent], attempt: u32) {
    for report in reports(attempt) {
        job().given(history.to_vec()).when(report).then_expect_error(JobRefusal::NotRunning { attempt });
    }
}

mod requesting {
    use super::*;

    #[test]
    fn records_all_that_is_asked_for() {
        for asked in [examples::request(), full_request()] {
            let asked = Box::new(asked);
            job()
                .given_no_previous_events()
                .when(JobCommand::Request(asked.clone()))
                .then_expect_events(vec![JobEvent::JobRequested(asked.clone())]);
            assert_eq!(after(&[JobEvent::JobRequested(asked.clone())]).requested().unwrap().request, asked);
        }
    }

    #[test]
    fn refuses_an_id_that_is_taken_whatever_became_of_its_job() {
        for (history, _) in open().into_iter().chain(over()) {
            job().given(history).when(request(3)).then_expect_error(JobRefusal::AlreadyRequested);
        }
    }

    #[test]
    fn comes_before_everything_else() {
        for command in [start(1), cancel(), JobCommand::Redrive].into_iter().chain(reports(1)) {
            job().given_no_previous_events().when(command).then_expect_error(JobRefusal::Absent);
        }
    }
}

mod starting {
    use super::*;

    fn refuses(history: Vec<JobEvent>, attempt: u32, status: JobStatus, current: u32) {
        let refusal = JobRefusal::NotWaiting { attempt, status, current };
        job().given(history).when(start(attempt)).then_expect_error(refusal);
    }

    #[test]
    fn takes_up_the_first_attempt() {
        job().given(vec![requested(3)]).when(start(1)).then_expect_events(vec![started(1)]);
    }

    #[test]
    fn takes_up_the_next_attempt_after_one_that_ended() {
        for end in [failed(1), snoozed(1), stopped(1), lost(1), worker_failed(1), interrupted_in_version_1(1)] {
            job().given(vec![requested(3), started(1), end]).when(start(2)).then_expect_events(vec![started(2)]);
        }
    }

    #[test]
    fn refuses_to_skip_an_attempt() {
        for attempt in [0, 2, u32::MAX] {
            refuses(vec![requested(3)], attempt, JobStatus::Pending, 0);
        }
    }

    #[test]
    fn refuses_to_repeat_an_attempt() {
        refuses(vec![requested(3), started(1), failed(1)], 1, JobStatus::Pending, 1);
    }

    #[test]
    fn is_for_one_worker_only() {
        job()
            .given(vec![requested(3), started(1)])
            .when(JobCommand::Start { attempt: 1, worker_id: OTHER_WORKER })
            .then_expect_error(JobRefusal::NotWaiting { attempt: 1, status: JobStatus::Running, current: 1 });
    }

    #[test]
    fn refuses_the_next_attempt_while_one_runs() {
        refuses(vec![requested(3), started(1)], 2, JobStatus::Running, 1);
    }

    #[test]
    fn refuses_a_job_that_is_over() {
        for (history, status) in over() {
            for attempt in [1, 2] {
                refuses(history.clone(), attempt, status, 1);
            }
        }
    }
}

mod succeeding {
    use super::*;

    #[test]
    fn completes_the_job_at_any_attempt_and_with_any_outcome() {
        let printed_much = Outcome { truncated: true, ..success() };
        for history in [vec![requested(1), started(1)], running_after(3, [failed as End, lost, snoozed])] {
            for outcome in [success(), printed_much, Outcome::default()] {
                let attempt = attempt(&history);
                job()
                    .given(history.clone())
                    .when(JobCommand::Succeed { attempt, outcome })
                    .then_expect_events(vec![JobEvent::JobSucceeded { attempt, outcome }]);
            }
        }
    }
}

mod failing {
    use super::*;

    #[test]
    fn tells_how_and_sets_the_time_of_the_next_attempt() {
        let killed = Outcome { exit_code: Some(137), ..failure() };
        for outcome in [failure(), timed_out(), killed, Outcome::default()] {
            let (failure, retry_at) = (AttemptFailure::Program { outcome }, Some(later()));
            job()
                .given(vec![requested(2), started(1)])
                .when(JobCommand::Fail { attempt: 1, outcome, retry_at })
                .then_expect_events(vec![JobEvent::JobAttemptFailed { attempt: 1, failure, retry_at }]);
        }
    }

    #[test]
    fn gives_the_job_up_when_no_attempts_are_left() {
        for attempts in [1, 2, 25] {
            let is_last = running_after(attempts, times(attempts - 1, failed));
            job().given(is_last).when(fail(attempts)).then_expect_events(failed_for_good(attempts).to_vec());
        }
        let one_is_left = running_after(25, times(23, failed));
        job().given(one_is_left).when(fail(24)).then_expect_events(vec![failed(24)]);
    }

    #[test]
    fn gives_the_job_up_at_once_when_another_attempt_would_end_the_same() {
        job()
            .given(vec![requested(25), started(1)])
            .when(JobCommand::Fail { attempt: 1, outcome: failure(), retry_at: None })
            .then_expect_events(failed_for_good(1).to_vec());
    }

    #[test]
    fn counts_no_attempt_that_ended_otherwise() {
        for end in [snoozed as End, stopped, lost, worker_failed, interrupted_in_version_1] {
            let one_is_left = running_after(2, [end, end]);
            job().given(one_is_left).when(fail(3)).then_expect_events(vec![failed(3)]);
            let none_is_left = running_after(2, [end, failed, end]);
            job().given(none_is_left).when(fail(4)).then_expect_events(failed_for_good(4).to_vec());
        }
    }
}

mod snoozing {
    use super::*;

    #[test]
    fn sets_the_time_of_the_next_attempt() {
        job().given(vec![requested(1), started(1)]).when(snooze(1)).then_expect_events(vec![snoozed(1)]);
    }

    #[test]
    fn never_counts() {
        let history = running_after(1, times(100, snoozed));
        job().given(history.clone()).when(snooze(101)).then_expect_events(vec![snoozed(101)]);
        job().given(history).when(succeed(101)).then_expect_events(vec![succeeded(101)]);
    }
}

mod interrupting {
    use super::*;

    /// One more in a row, and the job is given up.
    fn almost_too_often() -> Vec<End> {
        times(MAX_SUSPICIONS - 1, lost)
    }

    fn goes_on(ends: Vec<End>, cause: Interruption) {
        let uncounted = 1 + after(&running_after(25, ends.clone())).requested().expect("a job").uncounted;
        let history = running_after(25, ends);
        let attempt = attempt(&history);
        let event = JobEvent::JobInterrupted { attempt, cause, uncounted, retry_at: Some(later()) };
        job().given(history).when(interrupt(attempt, cause)).then_expect_events(vec![event]);
    }

    fn gives_up(ends: Vec<End>, cause: Interruption) {
        let history = running_after(25, ends);
        let attempt = attempt(&history);
        let ended = interrupted_for_good(attempt, cause).to_vec();
        job().given(history).when(interrupt(attempt, cause)).then_expect_events(ended);
    }

    #[test]
    fn sets_the_time_of_the_next_attempt_even_of_a_job_of_one() {
        for cause in INTERRUPTIONS {
            job()
                .given(vec![requested(1), started(1)])
                .when(interrupt(1, cause))
                .then_expect_events(vec![interrupted(1, cause)]);
        }
    }

    #[test]
    fn never_gives_a_job_up_whose_workers_were_stopped() {
        goes_on(times(10 * MAX_SUSPICIONS, stopped), Interruption::WorkerStopped);
        goes_on(times(10 * MAX_SUSPICIONS, stopped), Interruption::WorkerLost);
        goes_on(almost_too_often(), Interruption::WorkerStopped);
    }

    #[test]
    fn too_often_in_a_row_gives_the_job_up() {
        for cause in SUSPICIOUS {
            for number in 0..MAX_SUSPICIONS - 1 {
                goes_on(times(number, lost), cause);
            }
            gives_up(almost_too_often(), cause);
            gives_up(times(MAX_SUSPICIONS - 1, worker_failed), cause);
        }
    }

    #[test]
    fn begins_the_row_anew_after_an_attempt_that_ended_by_itself() {
        for end in [failed as End, snoozed] {
            let mut ends = almost_too_often();
            ends.push(end);
            goes_on(ends.clone(), Interruption::WorkerLost);
            ends.extend(almost_too_often());
            gives_up(ends, Interruption::WorkerLost);
        }
    }

    #[test]
    fn goes_on_with_the_row_after_a_stop() {
        let mut ends = almost_too_often();
        ends.push(stopped);
        gives_up(ends, Interruption::WorkerLost);
    }

    #[test]
    fn does_not_keep_the_job_from_succeeding_later() {
        let history = running_after(1, almost_too_often());
        job().given(history).when(succeed(MAX_SUSPICIONS)).then_expect_events(vec![succeeded(MAX_SUSPICIONS)]);
    }
}

mod reporting {
    use super::*;

    #[test]
    fn of_an_attempt_that_has_not_started_is_refused() {
        for attempt in [0, 1, 2] {
            refuses_reports(&[requested(3)], attempt);
        }
    }

    #[test]
    fn of_another_attempt_than_the_running_one_is_refused() {
        for attempt in [0, 2, u32::MAX] {
            refuses_reports(&[requested(3), started(1)], attempt);
        }
    }

    #[test]
    fn twice_is_refused() {
        for end in [failed(1), snoozed(1), stopped(1), lost(1), worker_failed(1)] {
            refuses_reports(&[requested(3), started(1), end], 1);
        }
    }

    #[test]
    fn late_is_refused_while_another_attempt_runs() {
        for end in [failed as End, snoozed, stopped, lost, worker_failed] {
            refuses_reports(&running_after(3, [end]), 1);
        }
    }

    #[test]
    fn after_the_end_is_refused() {
        for (history, _) in over() {
            refuses_reports(&history, 1);
        }
    }
}

mod cancelling {
    use super::*;

    #[test]
    fn ends_a_job_that_waits_or_runs_for_its_reason() {
        for (history, _) in open() {
            for reason in REASONS {
                let ended = JobEvent::JobCancelled { reason };
                job()
                    .given(history.clone())
                    .when(JobCommand::Cancel { reason })
                    .then_expect_events(vec![ended.clone()]);
                assert_eq!(status(&[history.clone(), vec![ended]].concat()), JobStatus::Cancelled);
            }
        }
    }

    #[test]
    fn says_nothing_of_a_job_that_is_over() {
        for (history, _) in over() {
            for reason in REASONS {
                job().given(history.clone()).when(JobCommand::Cancel { reason }).then_expect_events(vec![]);
            }
        }
    }
}

mod deleting {
    use super::*;

    fn deleted_after(history: Vec<JobEvent>) -> Vec<JobEvent> {
        [history, vec![JobEvent::JobDeleted {}]].concat()
    }

    #[test]
    fn is_for_what_is_over() {
        for (history, _) in over() {
            job().given(history.clone()).when(JobCommand::Delete).then_expect_events(vec![JobEvent::JobDeleted {}]);
            let history = deleted_after(history);
            assert_eq!(status(&history), JobStatus::Deleted);
            assert!(!after(&history).requested().unwrap().is_open());
        }
    }

    #[test]
    fn is_not_for_what_waits_or_runs() {
        for (history, status) in open() {
            job().given(history).when(JobCommand::Delete).then_expect_error(JobRefusal::NotEnded(status));
        }
    }

    #[test]
    fn is_the_last_that_happens() {
        for (history, _) in over() {
            let history = deleted_after(history);
            for command in [JobCommand::Delete, JobCommand::Redrive] {
                job().given(history.clone()).when(command).then_expect_error(JobRefusal::Absent);
            }
            let cancel = JobCommand::Cancel { reason: CancelReason::ProjectDeleted };
            job().given(history.clone()).when(cancel).then_expect_events(vec![]);
            let started = JobRefusal::NotWaiting { attempt: 2, status: JobStatus::Deleted, current: 1 };
            job().given(history).when(start(2)).then_expect_error(started);
        }
    }
}

mod redriving {
    use workroom_domain::{
        file::Sha256,
        job::{Input, Work},
    };

    use super::*;

    fn redriven_after(history: Vec<JobEvent>) -> Vec<JobEvent> {
        [history, vec![redriven()]].concat()
    }

    #[test]
    fn is_for_what_was_given_up_or_cancelled() {
        for history in [dead_lettered(), cancelled_while_running(), vec![requested(3), cancelled()]] {
            job().given(history.clone()).when(JobCommand::Redrive).then_expect_events(vec![redriven()]);
            assert_eq!(status(&redriven_after(history)), JobStatus::Pending);
        }
    }

    #[test]
    fn is_not_for_what_has_completed() {
        job().given(completed()).when(JobCommand::Redrive).then_expect_error(JobRefusal::Completed);
    }

    #[test]
    fn is_not_for_what_waits_or_runs() {
        let again = redriven_after(dead_lettered());
        for (history, status) in open().into_iter().chain([(again, JobStatus::Pending)]) {
            job().given(history).when(JobCommand::Redrive).then_expect_error(JobRefusal::NotOver(status));
        }
    }

    /// A job that was cancelled before its first attempt, and whose request was redacted then.
    fn redacted(request: Request, fields: &[&str]) -> Vec<JobEvent> {
        let redacted = Box::new(examples::redacted("JobRequested", fields));
        vec![JobEvent::JobRequested(Box::new(request)), cancelled(), JobEvent::PayloadRedacted(redacted)]
    }

    #[test]
    fn is_not_for_what_has_lost_what_it_works_on() {
        let email = Work::Email { input: Input { size: 9, sha256: Sha256([9; 32]) } };
        let email = Request { work: email, ..examples::request() };
        for (request, fields) in [
            (examples::request(), &["source", "stdin"][..]),
            (full_request(), &["fairness_key", "key", "source"][..]),
            (email, &["input"][..]),
        ] {
            let history = redacted(request, fields);
            let before = history[..2].to_vec();
            job().given(before).when(JobCommand::Redrive).then_expect_events(vec![redriven()]);
            job().given(history.clone()).when(JobCommand::Redrive).then_expect_error(JobRefusal::InputGone);
            job().given(history).when(JobCommand::Delete).then_expect_events(vec![JobEvent::JobDeleted {}]);
        }
    }

    #[test]
    fn is_for_what_has_lost_its_key_alone() {
        let keyed = Request { work: Work::Noop {}, key: Some(examples::key("nightly")), ..examples::request() };
        job().given(redacted(keyed, &["key"])).when(JobCommand::Redrive).then_expect_events(vec![redriven()]);
    }

    #[test]
    fn goes_on_counting_the_attempts() {
        for history in [dead_lettered(), cancelled_while_running()] {
            let history = redriven_after(history);
            job().given(history.clone()).when(start(2)).then_expect_events(vec![started(2)]);
            let again = JobRefusal::NotWaiting { attempt: 1, status: JobStatus::Pending, current: 1 };
            job().given(history).when(start(1)).then_expect_error(again);
        }
        let never_started = redriven_after(vec![requested(3), cancelled()]);
        job().given(never_started).when(start(1)).then_expect_events(vec![started(1)]);
    }

    #[test]
    fn gives_as_many_attempts_as_at_first() {
        let mut history = running_after(2, [failed as End]);
        history.extend(failed_for_good(2));
        history.extend([redriven(), started(3)]);
        job().given(history.clone()).when(fail(3)).then_expect_events(vec![failed(3)]);
        history.extend([failed(3), started(4)]);
        job().given(history).when(fail(4)).then_expect_events(failed_for_good(4).to_vec());
    }

    #[test]
    fn begins_the_row_of_interruptions_anew() {
        let mut history = running_after(1, times(MAX_SUSPICIONS - 1, lost));
        history.extend(interrupted_for_good(MAX_SUSPICIONS, Interruption::WorkerLost));
        history.extend([redriven(), started(MAX_SUSPICIONS + 1)]);
        job()
            .given(history)
            .when(interrupt(MAX_SUSPICIONS + 1, Interruption::WorkerLost))
            .then_expect_events(vec![lost(MAX_SUSPICIONS + 1)]);
    }

    #[test]
    fn takes_no_reports_of_attempts_from_before() {
        let mut history = redriven_after(cancelled_while_running());
        refuses_reports(&history, 1);
        history.push(started(2));
        refuses_reports(&history, 1);
        job().given(history).when(succeed(2)).then_expect_events(vec![succeeded(2)]);
    }
}

/// What no command leads to any more, but what old logs tell.
mod a_job_of_version_1 {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_its_interruptions_in_the_row() {
        let history = running_after(1, times(MAX_SUSPICIONS - 1, interrupted_in_version_1));
        let state = after(&history);
        let state = state.requested().unwrap();
        assert_eq!((state.failures, state.suspicions), (0, MAX_SUSPICIONS - 1));
        job()
            .given(history)
            .when(interrupt(MAX_SUSPICIONS, Interruption::WorkerLost))
            .then_expect_events(interrupted_for_good(MAX_SUSPICIONS, Interruption::WorkerLost).to_vec());
    }

    #[test]
    fn that_was_given_up_can_be_redriven() {
        let failure = AttemptFailure::Interrupted;
        let last = JobEvent::JobAttemptFailed { attempt: 1, failure, retry_at: None };
        let history = vec![requested(3), started(1), last, JobEvent::JobDeadLettered { attempt: 1 }];
        assert_eq!(status(&history), JobStatus::Failed);
        job().given(history).when(JobCommand::Redrive).then_expect_events(vec![redriven()]);
    }

    #[test]
    fn of_no_attempts_is_tried_once_all_the_same() {
        let none = serde_json::from_value(json!(0)).unwrap();
        let asked = JobEvent::JobRequested(Box::new(Request { max_attempts: none, ..examples::request() }));
        job().given(vec![asked.clone()]).when(start(1)).then_expect_events(vec![started(1)]);
        job().given(vec![asked, started(1)]).when(fail(1)).then_expect_events(failed_for_good(1).to_vec());
    }
}

mod asking {
    use uuid::Uuid;
    use workroom_domain::job::Work;

    use super::*;

    #[test]
    fn tells_where_the_job_stands_after_each_step() {
        let mut history = Vec::new();
        let [last_failure, given_up] = failed_for_good(6);
        for (event, status, attempt, failures, suspicions) in [
            (requested(2), JobStatus::Pending, 0, 0, 0),
            (started(1), JobStatus::Running, 1, 0, 0),
            (lost(1), JobStatus::Pending, 1, 0, 1),
            (started(2), JobStatus::Running, 2, 0, 1),
            (stopped(2), JobStatus::Pending, 2, 0, 1),
            (started(3), JobStatus::Running, 3, 0, 1),
            (snoozed(3), JobStatus::Pending, 3, 0, 0),
            (started(4), JobStatus::Running, 4, 0, 0),
            (worker_failed(4), JobStatus::Pending, 4, 0, 1),
            (started(5), JobStatus::Running, 5, 0, 1),
            (failed(5), JobStatus::Pending, 5, 1, 0),
            (started(6), JobStatus::Running, 6, 1, 0),
            (last_failure, JobStatus::Pending, 6, 2, 0),
            (given_up, JobStatus::Failed, 6, 2, 0),
            (redriven(), JobStatus::Pending, 6, 0, 0),
            (cancelled(), JobStatus::Cancelled, 6, 0, 0),
            (redriven(), JobStatus::Pending, 6, 0, 0),
            (started(7), JobStatus::Running, 7, 0, 0),
            (succeeded(7), JobStatus::Completed, 7, 0, 0),
        ] {
            history.push(event);
            let job = after(&history);
            let state = job.requested().unwrap();
            let stands = (state.status, state.attempt, state.failures, state.suspicions);
            assert_eq!(stands, (status, attempt, failures, suspicions), "after {:?}", history.last());
            assert_eq!(state.is_open(), matches!(status, JobStatus::Pending | JobStatus::Running));
            assert_eq!(state.running(attempt).is_ok(), status == JobStatus::Running);
        }
    }

    #[test]
    fn of_a_job_that_was_not_requested_is_refused() {
        assert_eq!(Job::default().requested(), Err(JobRefusal::Absent));
    }

    #[test]
    fn events_belong_to_the_feed_of_the_project_or_else_of_the_account() {
        let id = Uuid::from_u128(0x10b);
        let feed = |request| after(&[JobEvent::JobRequested(Box::new(request))]).feed(id);
        assert_eq!(feed(full_request()), PROJECT.0);
        assert_eq!(feed(Request { project_id: None, submitted_by: BOB, ..full_request() }), BOB.0);
    }

    #[test]
    fn a_job_weighs_what_its_request_takes() {
        let weight = |request| after(&[JobEvent::JobRequested(Box::new(request))]).weight();
        let nothing = Request { work: Work::Noop {}, key: None, fairness_key: None, ..full_request() };
        let keys = "nightly".len() + "Zoë’s 🚀".len();
        let program = "print(input())".len() + "hello\n".len();
        assert_eq!(Job::default().weight(), 0);
        assert_eq!(weight(full_request()), weight(nothing.clone()) + keys);
        assert_eq!(weight(examples::request()), weight(nothing) + program);
    }
}

mod refusing {
    use workroom_domain::refusal::Refusal;

    use super::*;

    #[test]
    fn tells_where_the_job_stands() {
        for (history, command, message) in [
            (completed(), start(2), "attempt 2 cannot start: the job is completed after attempt 1"),
            (completed(), succeed(1), "attempt 1 is not running"),
            (completed(), JobCommand::Redrive, "the job has completed, and is not done again"),
            (
                vec![requested(3), started(1)],
                JobCommand::Redrive,
                "the job is running, and can be retried once it has failed or was cancelled",
            ),
        ] {
            job().given(history).when(command).then_expect_error_message(message);
        }
        assert_eq!(JobRefusal::Over(JobStatus::Failed).to_string(), "the job is over: it is failed");
    }

    #[test]
    fn has_a_code_for_those_who_ask() {
        for (refusal, code) in [
            (JobRefusal::Absent, "not-found"),
            (JobRefusal::AlreadyRequested, "contended"),
            (JobRefusal::NotWaiting { attempt: 1, status: JobStatus::Running, current: 1 }, "contended"),
            (JobRefusal::NotRunning { attempt: 1 }, "contended"),
            (JobRefusal::Over(JobStatus::Completed), "job-over"),
            (JobRefusal::NotOver(JobStatus::Pending), "job-not-over"),
            (JobRefusal::NotEnded(JobStatus::Pending), "job-not-over"),
            (JobRefusal::Completed, "job-completed"),
            (JobRefusal::InputGone, "job-input-gone"),
        ] {
            assert_eq!(refusal.code().name, code, "{refusal}");
        }
    }
}
