//! The work queue: one message for each attempt that may start now.
//!
//! A message is a hint, not an order: workers fence by appending to the log, so one too many does no harm. One too few
//! is what the reconciler looks for; it publishes with [`publish_job`] and a suffix of its own, for JetStream swallows
//! an id that it has seen in the last two minutes even when its message is long done.

use std::collections::HashMap;

use async_nats::jetstream::{
    Context,
    context::{PublishAckFuture, PublishError},
    message::PublishMessage,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_projections::history::EventRow;

/// An attempt that may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMessage {
    /// Id of the job, which is its aggregate's id in the log.
    pub job_id: Uuid,
    /// The attempt to start, counted from 1.
    pub attempt: u32,
}

/// A job could not be handed to the work queue.
#[derive(Debug, thiserror::Error)]
pub enum PublishJobError {
    /// NATS did not take it, or did not say so.
    #[error("the work queue did not take a job")]
    Nats(#[from] PublishError),
    /// It could not be written as JSON, which no such message is.
    #[error("a job's message could not be written")]
    Json(#[from] serde_json::Error),
}

/// The subject that jobs of a type are queued on.
pub fn job_subject(job_type: &str) -> String {
    format!("jobs.{job_type}")
}

/// Hands an attempt to the work queue, and returns once the queue has it (or had it within the last two minutes, under
/// the same suffix).
///
/// # Errors
/// NATS is away, or the queue is missing; publishing again with the same suffix does no harm.
pub async fn publish_job(
    jetstream: &Context,
    job_type: &str,
    message: JobMessage,
    suffix: Option<&str>,
) -> Result<(), PublishJobError> {
    send_job(jetstream, job_type, message, suffix).await?.await?;
    Ok(())
}

pub(super) async fn send_job(
    jetstream: &Context,
    job_type: &str,
    message: JobMessage,
    suffix: Option<&str>,
) -> Result<PublishAckFuture, PublishJobError> {
    let JobMessage { job_id, attempt } = message;
    let id = match suffix {
        Some(suffix) => format!("{job_id}.{attempt}.{suffix}"),
        None => format!("{job_id}.{attempt}"),
    };
    let publish = PublishMessage::build().payload(serde_json::to_vec(&message)?.into()).message_id(id);
    Ok(jetstream.send_publish(job_subject(job_type), publish).await?)
}

#[derive(Deserialize)]
struct Requested {
    job_type: String,
}

#[derive(Deserialize)]
struct Failed {
    attempt: u32,
    #[serde(default, with = "time::serde::rfc3339::option")]
    retry_at: Option<OffsetDateTime>,
}

/// The attempts that these events allow to start at `now`, with their jobs' types.
///
/// An event that cannot be read is skipped: the reconciler sees the job in the views.
pub(super) async fn due(
    pool: &PgPool,
    events: &[EventRow],
    now: OffsetDateTime,
) -> Result<Vec<(String, JobMessage)>, sqlx::Error> {
    let mut due = Vec::new();
    let mut retries = Vec::new();
    for event in events.iter().filter(|event| event.aggregate_type == "job") {
        let Ok(job_id) = Uuid::try_parse(&event.aggregate_id) else { continue };
        let payload = event.payload.get();
        match event.event_type.as_str() {
            "JobRequested" => match serde_json::from_str::<Requested>(payload) {
                Ok(requested) => due.push((requested.job_type, JobMessage { job_id, attempt: 1 })),
                Err(error) => tracing::warn!(position = event.position, %error, "a job's event cannot be read"),
            },
            "JobAttemptFailed" => match serde_json::from_str::<Failed>(payload) {
                Ok(Failed { attempt, retry_at: Some(at) }) if at <= now => {
                    retries.push(JobMessage { job_id, attempt: attempt.saturating_add(1) });
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(position = event.position, %error, "a job's event cannot be read"),
            },
            _ => {}
        }
    }
    if !retries.is_empty() {
        let types = job_types(pool, &retries).await?;
        due.extend(retries.into_iter().filter_map(|retry| Some((types.get(&retry.job_id)?.clone(), retry))));
    }
    Ok(due)
}

/// The types of jobs, from the events that requested them.
async fn job_types(pool: &PgPool, jobs: &[JobMessage]) -> Result<HashMap<Uuid, String>, sqlx::Error> {
    let ids: Vec<String> = jobs.iter().map(|job| job.job_id.to_string()).collect();
    let types: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT aggregate_id, payload->>'job_type' FROM events
         WHERE aggregate_type = 'job' AND aggregate_id = ANY($1) AND sequence = 1",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(types.into_iter().filter_map(|(id, job_type)| Some((Uuid::try_parse(&id).ok()?, job_type?))).collect())
}
