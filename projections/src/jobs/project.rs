//! Folds job events into `views.jobs`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::{AttemptFailure, Job, JobEvent, JobStatus, Outcome, Work},
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.jobs`.
pub struct Jobs;

#[derive(FromRow)]
struct Row {
    id: Uuid,
    project_id: Option<Uuid>,
    submitted_by: Uuid,
    job_type: String,
    language: String,
    timeout_seconds: i32,
    max_attempts: i32,
    status: String,
    attempt: i32,
    exit_code: Option<i32>,
    execution_time_ms: Option<i64>,
    truncated: Option<bool>,
    limit_hit: Option<String>,
    due_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    completed_at: Option<OffsetDateTime>,
    version: i64,
}

/// Counts in events are small; the column is the bound.
fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Row {
    fn show(&mut self, outcome: &Outcome) {
        self.exit_code = outcome.exit_code;
        self.execution_time_ms = i64::try_from(outcome.execution_time_ms).ok();
        self.truncated = Some(outcome.truncated);
        self.limit_hit = outcome.limit_hit.map(|limit| limit.as_str().to_owned());
    }

    fn evolve(&mut self, at: OffsetDateTime, event: &JobEvent) {
        let status = match event {
            JobEvent::JobRequested { .. } => JobStatus::Pending,
            JobEvent::JobStarted { attempt, .. } => {
                self.attempt = small(*attempt);
                self.started_at = Some(at);
                self.due_at = None;
                JobStatus::Running
            }
            JobEvent::JobSucceeded { outcome, .. } => {
                self.show(outcome);
                self.completed_at = Some(at);
                JobStatus::Completed
            }
            JobEvent::JobAttemptFailed { failure, retry_at, .. } => {
                if let AttemptFailure::Program { outcome } = failure {
                    self.show(outcome);
                }
                self.due_at = *retry_at;
                JobStatus::Pending
            }
            JobEvent::JobDeadLettered { .. } => {
                self.completed_at = Some(at);
                self.due_at = None;
                JobStatus::Failed
            }
            JobEvent::JobCancelled { .. } => {
                self.completed_at = Some(at);
                self.due_at = None;
                JobStatus::Cancelled
            }
        };
        status.as_str().clone_into(&mut self.status);
    }
}

fn requested(recorded: &Recorded, event: &JobEvent) -> Option<Row> {
    let JobEvent::JobRequested { project_id, submitted_by, work, max_attempts } = event else { return None };
    let Work::CodeExecution { language, timeout_seconds, .. } = work;
    let at = recorded.metadata.occurred_at;
    Some(Row {
        id: recorded.aggregate_id,
        project_id: project_id.map(Into::into),
        submitted_by: submitted_by.0,
        job_type: "code_execution".to_owned(),
        language: language.as_str().to_owned(),
        timeout_seconds: small(timeout_seconds.seconds()),
        max_attempts: small(*max_attempts),
        status: JobStatus::Pending.as_str().to_owned(),
        attempt: 0,
        exit_code: None,
        execution_time_ms: None,
        truncated: None,
        limit_hit: None,
        due_at: Some(at),
        created_at: at,
        started_at: None,
        completed_at: None,
        version: recorded.sequence,
    })
}

#[async_trait]
impl Projection for Jobs {
    fn tables(&self) -> &'static [&'static str] {
        &["jobs"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Job::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let events: Vec<(&Recorded, &JobEvent)> = events
            .iter()
            .filter_map(|recorded| match &recorded.event {
                DomainEventKind::Job(event) => Some((recorded, event)),
                _ => None,
            })
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        let known: Vec<Uuid> = events.iter().map(|(recorded, _)| recorded.aggregate_id).collect();
        let loaded: Vec<Row> =
            sqlx::query_as("SELECT * FROM jobs WHERE id = ANY($1)").bind(known).fetch_all(&mut *connection).await?;
        let mut rows: BTreeMap<Uuid, Row> = loaded.into_iter().map(|row| (row.id, row)).collect();
        for (recorded, event) in events {
            if let Some(row) = requested(recorded, event) {
                rows.insert(row.id, row);
            } else if let Some(row) = rows.get_mut(&recorded.aggregate_id) {
                row.evolve(recorded.metadata.occurred_at, event);
                row.version = recorded.sequence;
            }
        }
        store(rows.into_values().collect(), connection).await
    }
}

async fn store(rows: Vec<Row>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($field:ident) => {
            rows.iter().map(|row| row.$field.clone()).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "INSERT INTO jobs (id, project_id, submitted_by, job_type, language, timeout_seconds, max_attempts, status,
                           attempt, exit_code, execution_time_ms, truncated, limit_hit, due_at, created_at, started_at,
                           completed_at, version)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[],
                              $8::text[], $9::int[], $10::int[], $11::bigint[], $12::boolean[], $13::text[],
                              $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[],
                              $18::bigint[])
         ON CONFLICT (id) DO UPDATE
             SET (status, attempt, exit_code, execution_time_ms, truncated, limit_hit, due_at, started_at, completed_at,
                  version) =
                 (excluded.status, excluded.attempt, excluded.exit_code, excluded.execution_time_ms,
                  excluded.truncated, excluded.limit_hit, excluded.due_at, excluded.started_at, excluded.completed_at,
                  excluded.version)",
    )
    .bind(column!(id))
    .bind(column!(project_id))
    .bind(column!(submitted_by))
    .bind(column!(job_type))
    .bind(column!(language))
    .bind(column!(timeout_seconds))
    .bind(column!(max_attempts))
    .bind(column!(status))
    .bind(column!(attempt))
    .bind(column!(exit_code))
    .bind(column!(execution_time_ms))
    .bind(column!(truncated))
    .bind(column!(limit_hit))
    .bind(column!(due_at))
    .bind(column!(created_at))
    .bind(column!(started_at))
    .bind(column!(completed_at))
    .bind(column!(version))
    .execute(connection)
    .await
    .map(drop)
}
