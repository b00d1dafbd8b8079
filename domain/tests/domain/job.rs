//! What a job answers: its attempts, its retries and its end.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    job::{AttemptFailure, Job, JobCommand, JobEvent, JobRefusal, JobStatus, LimitHit, MAX_INTERRUPTIONS, Outcome},
};

use crate::examples::{ADA, BOB, OTHER_WORKER, PROJECT, WORKER, failure, later, success, timed_out, work};

fn job() -> TestFramework<Job> {
    TestFramework::with(())
}

fn request(max_attempts: u32) -> JobCommand {
    JobCommand::Request { project_id: Some(PROJECT), submitted_by: ADA, work: work(), max_attempts }
}

fn start(attempt: u32) -> JobCommand {
    JobCommand::Start { attempt, worker_id: WORKER }
}

fn finish(attempt: u32, outcome: Outcome) -> JobCommand {
    JobCommand::Finish { attempt, outcome, retry_at: later() }
}

fn interrupt(attempt: u32) -> JobCommand {
    JobCommand::Interrupt { attempt, retry_at: later() }
}

fn requested(max_attempts: u32) -> JobEvent {
    JobEvent::JobRequested { project_id: Some(PROJECT), submitted_by: ADA, work: work(), max_attempts }
}

fn started(attempt: u32) -> JobEvent {
    JobEvent::JobStarted { attempt, worker_id: WORKER }
}

fn succeeded(attempt: u32) -> JobEvent {
    JobEvent::JobSucceeded { attempt, outcome: success() }
}

fn failed(attempt: u32, outcome: Outcome) -> JobEvent {
    let failure = AttemptFailure::Program { outcome };
    JobEvent::JobAttemptFailed { attempt, failure, retry_at: Some(later()) }
}

fn interrupted(attempt: u32) -> JobEvent {
    JobEvent::JobAttemptFailed { attempt, failure: AttemptFailure::Interrupted, retry_at: Some(later()) }
}

fn failed_for_good(attempt: u32, failure: AttemptFailure) -> [JobEvent; 2] {
    [JobEvent::JobAttemptFailed { attempt, failure, retry_at: None }, JobEvent::JobDeadLettered { attempt }]
}

/// A job of one attempt that failed.
fn dead_lettered() -> Vec<JobEvent> {
    let [last_failure, end] = failed_for_good(1, AttemptFailure::Program { outcome: failure() });
    vec![requested(1), started(1), last_failure, end]
}

fn completed() -> Vec<JobEvent> {
    vec![requested(3), started(1), succeeded(1)]
}

/// Every report that a worker, or the search for lost workers, can make of an attempt.
fn reports(attempt: u32) -> [JobCommand; 3] {
    [finish(attempt, success()), finish(attempt, failure()), interrupt(attempt)]
}

fn after(events: &[JobEvent]) -> Job {
    let mut job = Job::default();
    for event in events {
        job.evolve(event);
    }
    job
}

mod requesting {
    use super::*;

    #[test]
    fn records_the_work() {
        job().given_no_previous_events().when(request(3)).then_expect_events(vec![requested(3)]);
    }

    #[test]
    fn needs_no_project() {
        job()
            .given_no_previous_events()
            .when(JobCommand::Request { project_id: None, submitted_by: ADA, work: work(), max_attempts: 1 })
            .then_expect_events(vec![JobEvent::JobRequested {
                project_id: None,
                submitted_by: ADA,
                work: work(),
                max_attempts: 1,
            }]);
    }

    #[test]
    fn refuses_an_id_that_is_taken_whatever_became_of_its_job() {
        for history in [vec![requested(3)], vec![requested(3), started(1)], completed(), dead_lettered()] {
            job().given(history).when(request(3)).then_expect_error(JobRefusal::AlreadyRequested);
        }
    }

    #[test]
    fn comes_before_everything_else() {
        job().given_no_previous_events().when(start(1)).then_expect_error(JobRefusal::Absent);
        for report in reports(1) {
            job().given_no_previous_events().when(report).then_expect_error(JobRefusal::Absent);
        }
    }
}

mod starting {
    use super::*;

    #[test]
    fn takes_up_the_first_attempt() {
        job().given(vec![requested(3)]).when(start(1)).then_expect_events(vec![started(1)]);
    }

    #[test]
    fn takes_up_the_next_attempt_after_a_failure() {
        for failure in [failed(1, failure()), interrupted(1)] {
            job().given(vec![requested(3), started(1), failure]).when(start(2)).then_expect_events(vec![started(2)]);
        }
    }

    #[test]
    fn refuses_to_skip_an_attempt() {
        for attempt in [0, 2, u32::MAX] {
            job().given(vec![requested(3)]).when(start(attempt)).then_expect_error(JobRefusal::NotWaiting {
                attempt,
                status: JobStatus::Pending,
                current: 0,
            });
        }
    }

    #[test]
    fn refuses_to_repeat_an_attempt_that_failed() {
        job()
            .given(vec![requested(3), started(1), failed(1, failure())])
            .when(start(1))
            .then_expect_error(JobRefusal::NotWaiting { attempt: 1, status: JobStatus::Pending, current: 1 });
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
        job().given(vec![requested(3), started(1)]).when(start(2)).then_expect_error(JobRefusal::NotWaiting {
            attempt: 2,
            status: JobStatus::Running,
            current: 1,
        });
    }

    #[test]
    fn refuses_a_job_that_is_over() {
        for (history, status) in [(completed(), JobStatus::Completed), (dead_lettered(), JobStatus::Failed)] {
            for attempt in [1, 2] {
                job().given(history.clone()).when(start(attempt)).then_expect_error(JobRefusal::NotWaiting {
                    attempt,
                    status,
                    current: 1,
                });
            }
        }
    }

    #[test]
    fn is_refused_in_words_that_tell_where_the_job_stands() {
        job()
            .given(completed())
            .when(start(2))
            .then_expect_error_message("attempt 2 cannot start: the job is completed after attempt 1");
    }
}

mod finishing {
    use super::*;

    #[test]
    fn with_success_completes_the_job() {
        job().given(vec![requested(3), started(1)]).when(finish(1, success())).then_expect_events(vec![succeeded(1)]);
    }

    #[test]
    fn with_success_completes_the_job_at_a_later_attempt_too() {
        job()
            .given(vec![requested(2), started(1), failed(1, failure()), started(2)])
            .when(finish(2, success()))
            .then_expect_events(vec![succeeded(2)]);
    }

    #[test]
    fn only_exit_code_zero_without_a_limit_hit_is_success() {
        let killed = Outcome { exit_code: Some(137), ..success() };
        let stopped = Outcome { exit_code: None, ..success() };
        let out_of_memory = Outcome { limit_hit: Some(LimitHit::Memory), ..success() };
        for outcome in [failure(), killed, stopped, timed_out(), out_of_memory] {
            assert!(!outcome.is_success(), "{outcome:?}");
            job()
                .given(vec![requested(3), started(1)])
                .when(finish(1, outcome))
                .then_expect_events(vec![failed(1, outcome)]);
        }
        assert!(success().is_success());
        assert!(Outcome { truncated: true, ..success() }.is_success());
    }

    #[test]
    fn with_failure_sets_the_time_of_the_next_attempt() {
        job()
            .given(vec![requested(3), started(1), failed(1, failure()), started(2)])
            .when(finish(2, failure()))
            .then_expect_events(vec![failed(2, failure())]);
    }

    #[test]
    fn the_last_attempt_with_failure_gives_the_job_up() {
        job()
            .given(vec![requested(2), started(1), failed(1, failure()), started(2)])
            .when(finish(2, timed_out()))
            .then_expect_events(failed_for_good(2, AttemptFailure::Program { outcome: timed_out() }).to_vec());
    }

    #[test]
    fn a_job_of_no_attempts_is_tried_once_all_the_same() {
        job().given(vec![requested(0)]).when(start(1)).then_expect_events(vec![started(1)]);
        job()
            .given(vec![requested(0), started(1)])
            .when(finish(1, failure()))
            .then_expect_events(failed_for_good(1, AttemptFailure::Program { outcome: failure() }).to_vec());
    }

    #[test]
    fn counts_no_interruption_against_the_attempts_of_the_program() {
        job()
            .given(vec![requested(2), started(1), interrupted(1), started(2)])
            .when(finish(2, failure()))
            .then_expect_events(vec![failed(2, failure())]);
        job()
            .given(vec![requested(2), started(1), interrupted(1), started(2), failed(2, failure()), started(3)])
            .when(finish(3, failure()))
            .then_expect_events(failed_for_good(3, AttemptFailure::Program { outcome: failure() }).to_vec());
    }
}

mod fencing {
    use super::*;

    fn refuses_reports(history: &[JobEvent], attempt: u32) {
        for report in reports(attempt) {
            job().given(history.to_vec()).when(report).then_expect_error(JobRefusal::NotRunning { attempt });
        }
    }

    #[test]
    fn refuses_reports_of_an_attempt_before_it_starts() {
        for attempt in [0, 1, 2] {
            refuses_reports(&[requested(3)], attempt);
        }
    }

    #[test]
    fn refuses_reports_of_another_attempt_than_the_running_one() {
        for attempt in [0, 2, u32::MAX] {
            refuses_reports(&[requested(3), started(1)], attempt);
        }
    }

    #[test]
    fn refuses_a_worker_that_was_given_up_for_lost_while_its_job_waits() {
        refuses_reports(&[requested(3), started(1), interrupted(1)], 1);
    }

    #[test]
    fn refuses_a_worker_that_was_given_up_for_lost_while_another_runs_its_job() {
        refuses_reports(&[requested(3), started(1), interrupted(1), started(2)], 1);
    }

    #[test]
    fn refuses_every_report_after_the_end() {
        refuses_reports(&completed(), 1);
        refuses_reports(&dead_lettered(), 1);
    }
}

mod interrupting {
    use super::*;

    /// A job of `max_attempts` whose worker was lost `times` times, and which runs again.
    fn running_after_interruptions(max_attempts: u32, times: u32) -> Vec<JobEvent> {
        let mut history = vec![requested(max_attempts)];
        for attempt in 1..=times {
            history.extend([started(attempt), interrupted(attempt)]);
        }
        history.push(started(times + 1));
        history
    }

    #[test]
    fn sets_the_time_of_the_next_attempt() {
        job().given(vec![requested(3), started(1)]).when(interrupt(1)).then_expect_events(vec![interrupted(1)]);
    }

    #[test]
    fn retries_even_a_job_of_one_attempt() {
        for times in 0..MAX_INTERRUPTIONS - 1 {
            job()
                .given(running_after_interruptions(1, times))
                .when(interrupt(times + 1))
                .then_expect_events(vec![interrupted(times + 1)]);
        }
    }

    #[test]
    fn too_often_gives_the_job_up_however_many_attempts_it_has_left() {
        for max_attempts in [1, 100] {
            job()
                .given(running_after_interruptions(max_attempts, MAX_INTERRUPTIONS - 1))
                .when(interrupt(MAX_INTERRUPTIONS))
                .then_expect_events(failed_for_good(MAX_INTERRUPTIONS, AttemptFailure::Interrupted).to_vec());
        }
    }

    #[test]
    fn counts_no_failure_of_the_program_as_an_interruption() {
        let mut history = vec![requested(100)];
        for attempt in 1..=10 {
            history.extend([started(attempt), failed(attempt, failure())]);
        }
        history.push(started(11));
        job().given(history).when(interrupt(11)).then_expect_events(vec![interrupted(11)]);
    }

    #[test]
    fn counts_interruptions_that_failures_lie_between() {
        let history = vec![
            requested(100),
            started(1),
            interrupted(1),
            started(2),
            failed(2, failure()),
            started(3),
            interrupted(3),
            started(4),
        ];
        job()
            .given(history)
            .when(interrupt(4))
            .then_expect_events(failed_for_good(4, AttemptFailure::Interrupted).to_vec());
    }

    #[test]
    fn does_not_keep_the_job_from_succeeding_later() {
        job()
            .given(running_after_interruptions(1, MAX_INTERRUPTIONS - 1))
            .when(finish(MAX_INTERRUPTIONS, success()))
            .then_expect_events(vec![succeeded(MAX_INTERRUPTIONS)]);
    }
}

mod asking {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn tells_where_the_job_stands_after_each_step() {
        let mut history = vec![requested(2)];
        let mut job_stands = |event: Option<JobEvent>, status, attempt| {
            history.extend(event);
            let job = after(&history);
            let state = job.requested().unwrap();
            assert_eq!((state.status, state.attempt), (status, attempt), "after {:?}", history.last());
        };
        job_stands(None, JobStatus::Pending, 0);
        job_stands(Some(started(1)), JobStatus::Running, 1);
        job_stands(Some(interrupted(1)), JobStatus::Pending, 1);
        job_stands(Some(started(2)), JobStatus::Running, 2);
        job_stands(Some(failed(2, failure())), JobStatus::Pending, 2);
        job_stands(Some(started(3)), JobStatus::Running, 3);
        job_stands(Some(succeeded(3)), JobStatus::Completed, 3);
        assert_eq!(after(&dead_lettered()).requested().unwrap().status, JobStatus::Failed);
    }

    #[test]
    fn of_a_job_that_was_not_requested_is_refused() {
        assert_eq!(Job::default().requested(), Err(JobRefusal::Absent));
    }

    #[test]
    fn events_belong_to_the_feed_of_the_project_or_else_of_the_account() {
        let id = Uuid::from_u128(0x10b);
        let personal = JobEvent::JobRequested { project_id: None, submitted_by: BOB, work: work(), max_attempts: 1 };
        assert_eq!(after(&[requested(1)]).feed(id), PROJECT.0);
        assert_eq!(after(&[personal]).feed(id), BOB.0);
    }
}

mod cancelling {
    use workroom_domain::job::CancelReason;

    use super::*;

    fn cancel() -> JobCommand {
        JobCommand::Cancel { reason: CancelReason::ProjectDeleted }
    }

    fn cancelled() -> JobEvent {
        JobEvent::JobCancelled { reason: CancelReason::ProjectDeleted }
    }

    #[test]
    fn ends_a_job_that_waits_or_runs() {
        job().given(vec![requested(2)]).when(cancel()).then_expect_events(vec![cancelled()]);
        job().given(vec![requested(2), started(1)]).when(cancel()).then_expect_events(vec![cancelled()]);
        let waits_again = vec![requested(2), started(1), failed(1, failure())];
        job().given(waits_again).when(cancel()).then_expect_events(vec![cancelled()]);
        assert_eq!(after(&[requested(2), cancelled()]).requested().unwrap().status, JobStatus::Cancelled);
    }

    #[test]
    fn says_nothing_of_a_job_that_is_over() {
        for history in [completed(), dead_lettered(), vec![requested(2), cancelled()]] {
            job().given(history).when(cancel()).then_expect_events(vec![]);
        }
        job().given_no_previous_events().when(cancel()).then_expect_error(JobRefusal::Absent);
    }

    #[test]
    fn leaves_nothing_to_start_or_to_report() {
        let over = || vec![requested(2), started(1), cancelled()];
        let refused = JobRefusal::NotWaiting { attempt: 2, status: JobStatus::Cancelled, current: 1 };
        job().given(over()).when(start(2)).then_expect_error(refused);
        let late = JobCommand::Finish { attempt: 1, outcome: success(), retry_at: later() };
        job().given(over()).when(late).then_expect_error(JobRefusal::NotRunning { attempt: 1 });
    }
}
