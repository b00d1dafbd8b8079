//! Files that programs leave.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    backoff::Backoff,
    jobs::{sandbox::Artifact, types::Attempt},
};

/// How often storing is tried: some minutes in all.
const MAX_ATTEMPTS: u32 = 60;
/// How `store_job_artifacts` says so: SQLSTATE.
const REDACTED_SINCE: &str = "WR003";

/// Whether files are refused because they may show what was redacted since their attempt began.
pub fn is_redacted_since(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == REDACTED_SINCE)
}

/// Stores what an attempt has left, if it is still this worker's. Returns how many of the files the quota of its owner left no
/// room for: from the first that does not fit on, they are not stored.
///
/// # Errors
/// The database's, for minutes; at once where [`is_redacted_since`].
pub async fn store(attempt: &Attempt, artifacts: &[Artifact]) -> Result<u32, sqlx::Error> {
    let (job_id, number) = (attempt.job_id, attempt.attempt);
    let paths: Vec<&str> = artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
    let contents: Vec<&[u8]> = artifacts.iter().map(|artifact| &*artifact.content).collect();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
    let mut tried = 0;
    loop {
        let stored = sqlx::query_scalar("SELECT store_job_artifacts($1, $2, $3, $4, $5, $6)")
            .bind(attempt.worker_id)
            .bind(job_id.uuid())
            .bind(i32::try_from(number).unwrap_or(i32::MAX))
            .bind(&paths)
            .bind(&contents)
            .bind(attempt.storage_quota);
        tried += 1;
        match stored.fetch_one(attempt.app.pool()).await {
            Ok(dropped) => {
                let dropped: Option<i32> = dropped;
                if dropped.is_none() {
                    tracing::info!(%job_id, attempt = number, "what a program has left came too late");
                }
                return Ok(dropped.map_or(0, i32::unsigned_abs));
            }
            Err(error) if tried == MAX_ATTEMPTS || is_redacted_since(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "what a program has left is not stored yet");
                sleep(backoff.pause()).await;
            }
        }
    }
}
