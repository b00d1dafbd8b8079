//! Jobs as clients see them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::job;
use workroom_projections::jobs::JobRow;

/// A language that code can be run in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Language {
    Python,
    Javascript,
    Bash,
}

impl From<Language> for job::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::Python => Self::Python,
            Language::Javascript => Self::Javascript,
            Language::Bash => Self::Bash,
        }
    }
}

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
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// Runs a program in a sandbox.
    #[default]
    CodeExecution,
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, dead_code, reason = "only its schema is used")]
pub enum LimitHit {
    Timeout,
    Memory,
    Processes,
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
}

/// A job: work that is done in the background.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    /// The job's id, a UUIDv7.
    pub id: Uuid,
    /// What kind of work it is.
    #[schema(value_type = JobType)]
    pub r#type: String,
    /// The language that the program is written in.
    #[schema(value_type = Language)]
    pub language: String,
    /// How long the program may run, in seconds.
    pub timeout_seconds: i32,
    /// The project it belongs to; null for the submitter's own.
    pub project_id: Option<Uuid>,
    /// The account that submitted the job.
    pub submitted_by: Uuid,
    /// How far the job is.
    #[schema(value_type = JobStatus)]
    pub status: String,
    /// How many attempts were started.
    pub attempts: i32,
    /// How often it may be tried.
    pub max_attempts: i32,
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
        let result = row.execution_time_ms.map(|execution_time_ms| JobResult {
            stdout: row.stdout.unwrap_or_default(),
            stderr: row.stderr.unwrap_or_default(),
            exit_code: row.exit_code,
            execution_time_ms,
            truncated: row.truncated.unwrap_or_default(),
            limit_hit: row.limit_hit,
        });
        Self {
            id: row.id,
            r#type: row.job_type,
            language: row.language,
            timeout_seconds: row.timeout_seconds,
            project_id: row.project_id,
            submitted_by: row.submitted_by,
            status: row.status,
            attempts: row.attempt,
            max_attempts: row.max_attempts,
            result,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            version: row.version,
        }
    }
}
