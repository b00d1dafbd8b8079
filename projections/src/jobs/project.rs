//! Folds job events into `views.jobs`.

use serde::Serialize;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::{AttemptFailure, ControlCounts, Job, JobEvent, JobStatus, LimitHit, Outcome, Request, Work},
    redaction::Placeholder,
};

use super::due::{Due, Moment};
use crate::{
    Projection,
    changes::{At, Changes, Row, Table},
    log::Recorded,
};

/// The projection behind `views.jobs`.
pub struct Jobs;

const JOBS: Table = Table::new("jobs", &["id"]);

const KEYS: &[(&str, Placeholder)] = &[("key", Placeholder::Unique), ("fairness_key", Placeholder::Unique)];

impl Projection for Jobs {
    fn tables(&self) -> &'static [Table] {
        &[JOBS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Job::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::Job(event) = &recorded.event else { return };
        let id = recorded.aggregate_id;
        if let JobEvent::JobDeleted {} = event {
            changes.delete(&JOBS, id);
            return;
        }
        let job = match event {
            JobEvent::JobRequested(_) => changes.create(&JOBS, id),
            _ => changes.change(&JOBS, id),
        };
        let moment = Moment::of(recorded);
        if let Some(status) = evolve(job, moment, event) {
            let due = Due::after(event, moment);
            job.set("status", status.as_str()).set("due_at", due.map(|due| At(due.at())));
        }
        job.set("version", recorded.sequence);
    }
}

/// Sets what an event tells of a job, but for when it is due, and for the status, which it returns if it tells of it.
fn evolve(job: &mut Row, moment: Moment, event: &JobEvent) -> Option<JobStatus> {
    let at = At(moment.occurred_at);
    let status = match event {
        JobEvent::JobRequested(request) => {
            ask(job, at, request);
            JobStatus::Pending
        }
        JobEvent::JobStarted { attempt, worker_id } => {
            job.set("attempt", small(*attempt)).set("worker_id", worker_id).set("started_at", at);
            JobStatus::Running
        }
        JobEvent::JobSucceeded { outcome, .. } => {
            job.set("outcome", Shown::from(outcome));
            end(job, moment);
            JobStatus::Completed
        }
        JobEvent::JobAttemptFailed { failure, .. } => {
            if let AttemptFailure::Program { outcome } = failure {
                job.set("outcome", Shown::from(outcome));
            }
            job.set("worker_id", ());
            JobStatus::Pending
        }
        JobEvent::JobInterrupted { uncounted, .. } | JobEvent::JobSnoozed { uncounted, .. } => {
            job.set("uncounted", small(*uncounted)).set("worker_id", ());
            JobStatus::Pending
        }
        JobEvent::JobDeadLettered { .. } => {
            end(job, moment);
            JobStatus::Failed
        }
        JobEvent::JobCancelled { reason } => {
            job.set("cancel_reason", reason);
            end(job, moment);
            JobStatus::Cancelled
        }
        JobEvent::JobRedriven {} => {
            job.set("cancel_reason", ()).set("completed_at", ()).set("ended_at", ());
            JobStatus::Pending
        }
        // Its row goes.
        JobEvent::JobDeleted {} => JobStatus::Deleted,
        JobEvent::PayloadRedacted(redacted) => {
            job.redact(redacted, KEYS);
            return None;
        }
    };
    Some(status)
}

fn ask(job: &mut Row, at: At, request: &Request) {
    if let Work::CodeExecution { language, timeout_seconds, .. } = &request.work {
        job.set("language", language.as_str()).set("timeout_seconds", small(timeout_seconds.seconds()));
    }
    job.set("project_id", request.project_id).set("organization_id", request.organization_id);
    job.set("submitted_by", request.submitted_by).set("job_type", request.work.job_type());
    job.set("max_attempts", small(request.max_attempts.number())).set("priority", request.priority.number());
    job.set("key", &request.key).set("fairness_key", &request.fairness_key).set("schedule_id", request.schedule_id);
    job.set("attempt", 0).set("created_at", at);
    job.set("run_at", request.run_at.map(At));
}

/// What it left is kept for some time from then on: by the clock of the database, whatever that of who tells of the end says.
fn end(job: &mut Row, moment: Moment) {
    job.set("worker_id", ()).set("completed_at", At(moment.occurred_at)).set("ended_at", At(moment.recorded_at));
}

/// How an attempt ended: columns of the job.
#[derive(Serialize)]
struct Shown {
    exit_code: Option<i32>,
    execution_time_ms: Option<i64>,
    truncated: bool,
    limit_hit: Option<&'static str>,
    #[serde(flatten)]
    control: Option<ControlCounts>,
}

impl From<&Outcome> for Shown {
    fn from(outcome: &Outcome) -> Self {
        Self {
            exit_code: outcome.exit_code,
            execution_time_ms: i64::try_from(outcome.execution_time_ms).ok(),
            truncated: outcome.truncated,
            limit_hit: outcome.limit_hit.map(LimitHit::as_str),
            control: outcome.control,
        }
    }
}

/// Counts in events are small; the column is the bound.
fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
