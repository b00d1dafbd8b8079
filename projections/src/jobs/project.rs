//! Folds job events into `views.jobs`.

use serde::Serialize;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::{AttemptFailure, Job, JobEvent, JobStatus, LimitHit, Outcome, Work},
};

use crate::{
    Projection,
    changes::{At, Changes, Row, Table},
    log::Recorded,
};

/// The projection behind `views.jobs`.
pub struct Jobs;

const JOBS: Table = Table::new("jobs", &["id"]);

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
        let job = match event {
            JobEvent::JobRequested { .. } => changes.create(&JOBS, id),
            _ => changes.change(&JOBS, id),
        };
        let status = evolve(job, At(recorded.metadata.occurred_at), event);
        job.set("status", status.as_str()).set("version", recorded.sequence);
    }
}

/// Sets what an event tells of a job, but for the status, which it returns.
fn evolve(job: &mut Row, at: At, event: &JobEvent) -> JobStatus {
    match event {
        JobEvent::JobRequested { project_id, submitted_by, work, max_attempts } => {
            let Work::CodeExecution { language, timeout_seconds, .. } = work;
            job.set("project_id", project_id).set("submitted_by", submitted_by);
            job.set("job_type", "code_execution").set("language", language.as_str());
            job.set("timeout_seconds", small(timeout_seconds.seconds())).set("max_attempts", small(*max_attempts));
            job.set("attempt", 0).set("created_at", at).set("due_at", at);
            JobStatus::Pending
        }
        JobEvent::JobStarted { attempt, .. } => {
            job.set("attempt", small(*attempt)).set("started_at", at).set("due_at", ());
            JobStatus::Running
        }
        JobEvent::JobSucceeded { outcome, .. } => {
            job.set("outcome", Shown::from(outcome)).set("completed_at", at);
            JobStatus::Completed
        }
        JobEvent::JobAttemptFailed { failure, retry_at, .. } => {
            if let AttemptFailure::Program { outcome } = failure {
                job.set("outcome", Shown::from(outcome));
            }
            job.set("due_at", retry_at.map(At));
            JobStatus::Pending
        }
        JobEvent::JobDeadLettered { .. } => {
            job.set("completed_at", at).set("due_at", ());
            JobStatus::Failed
        }
        JobEvent::JobCancelled { .. } => {
            job.set("completed_at", at).set("due_at", ());
            JobStatus::Cancelled
        }
    }
}

/// How an attempt ended: columns of the job.
#[derive(Serialize)]
struct Shown {
    exit_code: Option<i32>,
    execution_time_ms: Option<i64>,
    truncated: bool,
    limit_hit: Option<&'static str>,
}

impl From<&Outcome> for Shown {
    fn from(outcome: &Outcome) -> Self {
        Self {
            exit_code: outcome.exit_code,
            execution_time_ms: i64::try_from(outcome.execution_time_ms).ok(),
            truncated: outcome.truncated,
            limit_hit: outcome.limit_hit.map(LimitHit::as_str),
        }
    }
}

/// Counts in events are small; the column is the bound.
fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
