//! Jobs as clients see them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::ids::JobId;
use workroom_projections::jobs::{self, JobRow, Place};

use crate::{
    application::{Error, codes::VIEWS_BEHIND, jobs::ChangedJob},
    clock::now,
    http::State,
};

/// The longest time, in seconds, for which a start is estimated.
const LONGEST_ESTIMATE: f64 = 365.0 * 86_400.0;

/// How far a job is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum JobStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl JobStatus {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What kind of work a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// Runs a program in a sandbox.
    #[default]
    CodeExecution,
    /// Does nothing: it measures what everything around a job costs.
    Noop,
    /// Writes the history of a project into files that it leaves.
    ProjectExport,
    /// Sends a mail to the account that has submitted it.
    Email,
    /// Cancels, retries or deletes many jobs: what `POST /jobs/cancel` and its like submit, and nobody else.
    JobControl,
}

impl JobType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CodeExecution => "code_execution",
            Self::Noop => "noop",
            Self::ProjectExport => "project_export",
            Self::Email => "email",
            Self::JobControl => "job_control",
        }
    }
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, dead_code, reason = "only its schema is used")]
pub enum LimitHit {
    Time,
    Memory,
    Output,
    Processes,
    Disk,
}

/// A file that a program has left.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobArtifact {
    /// Its path below `artifacts` in the folder that the program ran in.
    #[schema(example = "report.pdf")]
    pub path: String,
    /// How many bytes it has.
    pub size: i64,
}

/// How far a job says that it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobProgress {
    /// How much of the work is done, in percent.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: f64,
    /// What it says of that, in a few words.
    #[schema(max_length = 200, example = "4 of 10 files")]
    pub message: Option<String>,
    /// When this was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// How a program ended, and what it printed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobResult {
    /// What the program wrote to its standard output.
    pub stdout: String,
    /// What the program wrote to its standard error.
    pub stderr: String,
    /// Its exit code, or 128 + the signal that ended it; null when it was stopped before it could exit.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub execution_time_ms: i64,
    /// Whether some of its output was dropped.
    pub truncated: bool,
    /// The limit that ended the program; null where none did.
    #[schema(value_type = Option<LimitHit>)]
    pub limit_hit: Option<String>,
    /// The files that it has left, to be read by `GET /jobs/{id}/artifacts`.
    pub artifacts: Vec<JobArtifact>,
    /// What became of the jobs that it was about, where it controls others; null for other jobs.
    pub control: Option<JobControlResult>,
}

/// What became of the jobs that a job was about that controls others.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct JobControlResult {
    /// How many there were: those that were changed, and those that were refused.
    pub matched: i64,
    /// With how many it was done.
    pub changed: i64,
    /// With how many it was not done: they had changed before, or who asked has not the right.
    pub refused: i64,
}

/// A job: work that is done in the background.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    /// The job's id, a UUIDv7.
    pub id: Uuid,
    /// What kind of work it is.
    #[schema(value_type = JobType)]
    pub r#type: String,
    /// The language that the program is written in; null for a job that runs no program.
    #[schema(example = "python")]
    pub language: Option<String>,
    /// How long the program may run, in seconds; null for a job that runs no program.
    pub timeout_seconds: Option<i32>,
    /// The project it belongs to; null for the submitter's own.
    pub project_id: Option<Uuid>,
    /// The account that submitted the job.
    pub submitted_by: Uuid,
    /// How far the job is.
    #[schema(value_type = JobStatus)]
    pub status: String,
    /// How urgent it is among the jobs of its organization: 1 is the most urgent, 5 the least.
    pub priority: i32,
    /// When it was to be done, where that was asked for.
    #[serde(with = "time::serde::rfc3339::option")]
    pub run_at: Option<OffsetDateTime>,
    /// Of the jobs of a project (or account) with the same key one runs at a time.
    pub key: Option<String>,
    /// Jobs with different ones take turns, within their organization.
    pub fairness_key: Option<String>,
    /// The schedule that submitted the job; null where somebody did.
    pub schedule_id: Option<Uuid>,
    /// How many attempts were started, without those that were interrupted.
    pub attempts: i32,
    /// How often it may be tried.
    pub max_attempts: i32,
    /// When the next attempt is due, where the job waits.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
    /// Of a job that is due and waits: its place among those of its organization (or account) and fairness key that wait for the
    /// same kind of worker; 1 is the next. Null otherwise, where more than 10,000 of them are open, and in lists.
    pub position: Option<i64>,
    /// When it may be expected to start, at the rate at which its submitter's latest jobs were done. An estimate, and no promise;
    /// null where nothing of its line runs, and in lists.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expected_start_at: Option<OffsetDateTime>,
    /// How far the latest attempt says that it is; null where it has said nothing.
    pub progress: Option<JobProgress>,
    /// How the latest finished attempt ended.
    pub result: Option<JobResult>,
    /// When the job was submitted.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the latest attempt started.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When the job was over, however it ended; null until then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        let control = match (row.matched, row.changed, row.refused) {
            (Some(matched), Some(changed), Some(refused)) => Some(JobControlResult { matched, changed, refused }),
            _ => None,
        };
        let result = row.execution_time_ms.map(|execution_time_ms| JobResult {
            stdout: row.stdout.unwrap_or_default(),
            stderr: row.stderr.unwrap_or_default(),
            exit_code: row.exit_code,
            execution_time_ms,
            truncated: row.truncated.unwrap_or_default(),
            artifacts: serde_json::from_value(row.artifacts).unwrap_or_default(),
            control,
            // As it was called at first.
            limit_hit: row.limit_hit.map(|limit| if limit == "timeout" { "time".to_owned() } else { limit }),
        });
        // What nobody asked a time for is due from the start: that is told as the submission told it, not by the database's clock.
        let from_the_start = row.version == 1 && row.run_at.is_none();
        let progress = row.progress_percent.zip(row.progress_at);
        let message = row.progress_message;
        Self {
            id: row.id,
            r#type: row.job_type,
            language: row.language,
            timeout_seconds: row.timeout_seconds,
            project_id: row.project_id,
            submitted_by: row.submitted_by,
            status: row.status,
            priority: row.priority,
            run_at: row.run_at,
            key: row.key,
            fairness_key: row.fairness_key,
            schedule_id: row.schedule_id,
            attempts: row.attempt - row.uncounted,
            max_attempts: row.max_attempts,
            next_attempt_at: row.due_at.map(|due| if from_the_start { row.created_at } else { due }),
            position: None,
            expected_start_at: None,
            progress: progress.map(|(percent, at)| JobProgress { percent, message, at }),
            result,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            version: row.version,
        }
    }
}

impl Job {
    /// Tells where the job stands in its line.
    pub(super) fn placed(self, place: Option<Place>) -> Self {
        let Some(Place { position, running, usual_ms }) = place else { return self };
        let expected_start_at = usual_ms.filter(|_| running > 0).map(|usual_ms| {
            #[allow(clippy::cast_precision_loss, reason = "an estimate")]
            let milliseconds = usual_ms * position as f64 / running as f64;
            now() + Duration::from_secs_f64((milliseconds / 1000.0).clamp(0.0, LONGEST_ESTIMATE))
        });
        Self { position: Some(position), expected_start_at, ..self }
    }
}

/// A job as it is after a decision that the views may not show yet.
///
/// # Errors
/// The database's; `Kind::Unavailable` while the views do not show the job at all.
pub(super) async fn after(state: &State, job_id: JobId, decided: ChangedJob) -> Result<Job, Error> {
    let row = jobs::find(state.app.pool(), job_id).await?;
    let mut job = Job::from(row.ok_or_else(|| Error::later(VIEWS_BEHIND, Duration::from_secs(1)))?);
    if job.version < decided.version {
        decided.status.as_str().clone_into(&mut job.status);
        job.version = decided.version;
    }
    Ok(job)
}
