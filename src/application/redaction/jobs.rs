//! A job is redacted once it is over: a worker that has it would go on with the text, and print it again.

use workroom_domain::job::{Job, JobRefusal};

/// Insists that a job is over. What was never requested is.
///
/// # Errors
/// [`JobRefusal::NotRedacted`] while it waits or runs.
pub(super) fn insist_on_end(job: &Job) -> Result<(), JobRefusal> {
    match job.requested() {
        Ok(state) if state.is_open() => Err(JobRefusal::NotRedacted(state.status)),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use workroom_domain::{
        Decide as _,
        ids::AccountId,
        job::{CancelReason, JobEvent, JobStatus, MaxAttempts, Priority, Request, Work},
    };

    use super::*;

    fn after(events: &[JobEvent]) -> Job {
        let mut job = Job::default();
        let request = Request {
            project_id: None,
            organization_id: None,
            submitted_by: AccountId(Uuid::nil()),
            work: Work::Noop {},
            max_attempts: MaxAttempts::default(),
            priority: Priority::default(),
            run_at: None,
            key: None,
            fairness_key: None,
            schedule_id: None,
        };
        job.evolve(&JobEvent::JobRequested(Box::new(request)));
        for event in events {
            job.evolve(event);
        }
        job
    }

    #[test]
    fn what_waits_or_runs_is_not_redacted() {
        let started = JobEvent::JobStarted { attempt: 1, worker_id: Uuid::nil() };
        let cancelled = JobEvent::JobCancelled { reason: CancelReason::Requested };
        assert_eq!(insist_on_end(&after(&[])), Err(JobRefusal::NotRedacted(JobStatus::Pending)));
        assert_eq!(
            insist_on_end(&after(std::slice::from_ref(&started))),
            Err(JobRefusal::NotRedacted(JobStatus::Running))
        );
        assert_eq!(insist_on_end(&after(&[started.clone(), cancelled.clone()])), Ok(()));
        assert_eq!(
            insist_on_end(&after(&[started, cancelled, JobEvent::JobRedriven {}])),
            Err(JobRefusal::NotRedacted(JobStatus::Pending))
        );
    }
}
