//! Background tasks, as `/ready` tells of them.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::background::Status;

/// A background task of the process.
#[derive(Serialize, ToSchema)]
pub struct BackgroundTask {
    /// Whether it works. One that does not has failed for longer than three of its periods, and five seconds; the status
    /// of the reply stays as it is.
    ok: bool,
    /// `waiting` for its time; `standing_by`: another process does its work; `running`; `stopped`.
    #[schema(example = "waiting")]
    state: &'static str,
    /// Seconds for which it has been so.
    for_seconds: f64,
    /// How often it was activated since the process started.
    activations: u64,
    /// How many of those failed.
    failures: u64,
    /// When it last did its work. What runs until the process stops has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LastSuccess, required = false)]
    last_success: Option<LastSuccess>,
    /// What last went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LastError, required = false)]
    last_error: Option<LastError>,
}

/// When a background task last did its work.
#[derive(Serialize, ToSchema)]
pub struct LastSuccess {
    /// The time at which that work ended, in RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Seconds since then.
    age_seconds: f64,
    /// Milliseconds that it took.
    took_ms: f64,
    /// What it did: differs from task to task.
    #[serde(skip_serializing_if = "Value::is_null")]
    #[schema(required = false)]
    detail: Value,
}

/// What last went wrong with a background task.
#[derive(Serialize, ToSchema)]
pub struct LastError {
    /// The time at which the task failed, in RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The error and its causes, in one line of text.
    reason: String,
}

impl From<Status> for BackgroundTask {
    fn from(status: Status) -> Self {
        Self {
            ok: status.is_ok(),
            state: status.state.as_str(),
            for_seconds: status.since.elapsed().as_secs_f64(),
            activations: status.activations,
            failures: status.failures,
            last_success: status.last_success.map(|success| LastSuccess {
                at: success.at,
                age_seconds: success.ended.elapsed().as_secs_f64(),
                took_ms: success.took.as_secs_f64() * 1e3,
                detail: success.detail,
            }),
            last_error: status.last_error.map(|error| LastError { at: error.at, reason: error.reason }),
        }
    }
}
