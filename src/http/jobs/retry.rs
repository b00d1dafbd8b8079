//! `POST /jobs/{job_id}/retry`

use axum::extract::State as Extract;

use super::model::{Job, after};
use crate::{
    application::{Error, jobs::RetryJob},
    http::{
        State,
        extract::{Caller, JobPath},
        reply::Updated,
    },
};

/// Do again what has failed or was cancelled, with as many attempts as at first.
#[utoipa::path(post, path = "/jobs/{job_id}/retry", tag = "jobs", operation_id = "retryJob")]
pub async fn retry(
    Extract(state): Extract<State>,
    caller: Caller,
    JobPath { job_id }: JobPath,
) -> Result<Updated<Job>, Error> {
    let command = RetryJob::new(job_id, state.open_jobs.clone());
    let done = state.app.run_with_tables(&caller.context, &command, &command).await?;
    let job = after(&state, job_id, done.reply).await?;
    Ok(Updated::new(done.position, done.visible, job.version, &job))
}
