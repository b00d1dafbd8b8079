//! What a key of jobs answers: whom it is granted to.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    job_key::{Claim, Grant, JobKey, JobKeyCommand, JobKeyEvent, JobKeyRefusal},
};

use crate::examples::{ADA, JOB, OTHER_JOB, PROJECT, later};

fn key() -> TestFramework<JobKey> {
    TestFramework::with(())
}

fn grant(grant: Grant, is_free: bool) -> JobKeyCommand {
    JobKeyCommand::Grant { project_id: Some(PROJECT), account_id: ADA, grant, is_free }
}

fn granted(Grant { job_id, attempt }: Grant) -> JobKeyEvent {
    JobKeyEvent::JobKeyGranted { project_id: Some(PROJECT), account_id: ADA, job_id, attempt }
}

const FIRST: Grant = Grant { job_id: JOB, attempt: 1 };
const SECOND: Grant = Grant { job_id: OTHER_JOB, attempt: 1 };

#[test]
fn the_first_who_asks_has_it() {
    for is_free in [true, false] {
        key().given_no_previous_events().when(grant(FIRST, is_free)).then_expect_events(vec![granted(FIRST)]);
    }
}

#[test]
fn another_has_it_when_the_first_is_over_and_not_before() {
    key().given(vec![granted(FIRST)]).when(grant(SECOND, false)).then_expect_error(JobKeyRefusal);
    key().given(vec![granted(FIRST)]).when(grant(SECOND, true)).then_expect_events(vec![granted(SECOND)]);
    let next_attempt = Grant { attempt: 2, ..FIRST };
    key().given(vec![granted(FIRST)]).when(grant(next_attempt, false)).then_expect_error(JobKeyRefusal);
}

#[test]
fn whoever_has_it_may_ask_again() {
    key().given(vec![granted(FIRST)]).when(grant(FIRST, false)).then_expect_events(vec![]);
}

#[test]
fn a_claim_says_what_later_jobs_are_compared_with_and_grants_nothing() {
    let claim = Claim { job_id: JOB, unique_until: Some(later()) };
    let command = JobKeyCommand::Claim { project_id: None, account_id: ADA, claim };
    let claimed =
        JobKeyEvent::JobKeyClaimed { project_id: None, account_id: ADA, job_id: JOB, unique_until: Some(later()) };
    key().given(vec![granted(SECOND)]).when(command).then_expect_events(vec![claimed.clone()]);
    key().given(vec![granted(FIRST), claimed]).when(grant(SECOND, false)).then_expect_error(JobKeyRefusal);
}

#[test]
fn what_is_unique_for_a_while_and_what_gives_way_to_a_later_one_are_claimed_apart() {
    let claim = |job_id, unique_until| Claim { job_id, unique_until };
    let claimed = |Claim { job_id, unique_until }| JobKeyEvent::JobKeyClaimed {
        project_id: Some(PROJECT),
        account_id: ADA,
        job_id,
        unique_until,
    };
    let (unique, burst) = (claim(JOB, Some(later())), claim(OTHER_JOB, None));
    for claims in [[unique, burst], [burst, unique]] {
        let mut key = JobKey::default();
        for claim in claims {
            key.evolve(&claimed(claim));
        }
        assert_eq!((key.unique_claim(), key.claim()), (Some(unique), Some(burst)), "{claims:?}");
    }
}
