//! Folds job events into `views.jobs`.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::{AttemptFailure, Job, JobEvent, JobStatus, LimitHit, Outcome, Work},
};

use crate::{
    Projection,
    changes::{At, Changes, Statement, UnusableChange},
    log::Recorded,
};

/// The projection behind `views.jobs`.
pub struct Jobs;

/// What the batch says about a job: all of it when it was requested in the batch, else what changed. Fields that can
/// become null stand in an object of their own.
#[derive(Default, Serialize)]
struct JobChange {
    id: Uuid,
    #[serde(flatten)]
    request: Option<Request>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Due>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<At>,
    version: i64,
}

/// What never changes.
#[derive(Serialize)]
struct Request {
    project_id: Option<Uuid>,
    submitted_by: Uuid,
    job_type: &'static str,
    language: &'static str,
    timeout_seconds: i32,
    max_attempts: i32,
    created_at: At,
}

/// How an attempt ended.
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

#[derive(Serialize)]
struct Due {
    at: Option<At>,
}

/// Counts in events are small; the column is the bound.
fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl JobChange {
    fn evolve(&mut self, recorded: &Recorded, event: &JobEvent) {
        let at = At(recorded.metadata.occurred_at);
        let status = match event {
            JobEvent::JobRequested { project_id, submitted_by, work, max_attempts } => {
                let Work::CodeExecution { language, timeout_seconds, .. } = work;
                self.request = Some(Request {
                    project_id: project_id.map(Into::into),
                    submitted_by: submitted_by.0,
                    job_type: "code_execution",
                    language: language.as_str(),
                    timeout_seconds: small(timeout_seconds.seconds()),
                    max_attempts: small(*max_attempts),
                    created_at: at,
                });
                self.attempt = Some(0);
                self.due = Some(Due { at: Some(at) });
                JobStatus::Pending
            }
            JobEvent::JobStarted { attempt, .. } => {
                self.attempt = Some(small(*attempt));
                self.started_at = Some(at);
                self.due = Some(Due { at: None });
                JobStatus::Running
            }
            JobEvent::JobSucceeded { outcome, .. } => {
                self.outcome = Some(outcome.into());
                self.completed_at = Some(at);
                JobStatus::Completed
            }
            JobEvent::JobAttemptFailed { failure, retry_at, .. } => {
                if let AttemptFailure::Program { outcome } = failure {
                    self.outcome = Some(outcome.into());
                }
                self.due = Some(Due { at: retry_at.map(At) });
                JobStatus::Pending
            }
            JobEvent::JobDeadLettered { .. } => {
                self.completed_at = Some(at);
                self.due = Some(Due { at: None });
                JobStatus::Failed
            }
            JobEvent::JobCancelled { .. } => {
                self.completed_at = Some(at);
                self.due = Some(Due { at: None });
                JobStatus::Cancelled
            }
        };
        (self.id, self.status, self.version) = (recorded.aggregate_id, status.as_str(), recorded.sequence);
    }
}

impl Projection for Jobs {
    fn tables(&self) -> &'static [&'static str] {
        &["jobs"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Job::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[INSERT, UPDATE]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut jobs: BTreeMap<Uuid, JobChange> = BTreeMap::new();
        for recorded in events {
            if let DomainEventKind::Job(event) = &recorded.event {
                jobs.entry(recorded.aggregate_id).or_default().evolve(recorded, event);
            }
        }
        let (requested, known): (Vec<_>, Vec<_>) = jobs.values().partition(|job| job.request.is_some());
        changes.add(INSERT, requested)?;
        changes.add(UPDATE, known)
    }
}

const INSERT: Statement = "
    INSERT INTO jobs (id, project_id, submitted_by, job_type, language, timeout_seconds, max_attempts, status, attempt,
                      exit_code, execution_time_ms, truncated, limit_hit, due_at, created_at, started_at, completed_at,
                      version)
    SELECT id, project_id, submitted_by, job_type, language, timeout_seconds, max_attempts, status, attempt,
           (outcome->>'exit_code')::int, (outcome->>'execution_time_ms')::bigint, (outcome->>'truncated')::boolean,
           outcome->>'limit_hit', (due->>'at')::timestamptz, created_at, started_at, completed_at, version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, project_id uuid, submitted_by uuid, job_type text, language text, timeout_seconds int,
               max_attempts int, status text, attempt int, outcome jsonb, due jsonb, created_at timestamptz,
               started_at timestamptz, completed_at timestamptz, version bigint)";

const UPDATE: Statement = "
    UPDATE jobs j SET
        status = n.status, attempt = COALESCE(n.attempt, j.attempt),
        exit_code = CASE WHEN n.outcome IS NULL THEN j.exit_code ELSE (n.outcome->>'exit_code')::int END,
        execution_time_ms = CASE WHEN n.outcome IS NULL THEN j.execution_time_ms
                                 ELSE (n.outcome->>'execution_time_ms')::bigint END,
        truncated = COALESCE((n.outcome->>'truncated')::boolean, j.truncated),
        limit_hit = CASE WHEN n.outcome IS NULL THEN j.limit_hit ELSE n.outcome->>'limit_hit' END,
        due_at = CASE WHEN n.due IS NULL THEN j.due_at ELSE (n.due->>'at')::timestamptz END,
        started_at = COALESCE(n.started_at, j.started_at),
        completed_at = COALESCE(n.completed_at, j.completed_at), version = n.version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, status text, attempt int, outcome jsonb, due jsonb, started_at timestamptz,
               completed_at timestamptz, version bigint)
    WHERE j.id = n.id";
