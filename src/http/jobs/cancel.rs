//! `POST /jobs/{job_id}/cancel`

use axum::extract::State as Extract;

use super::model::{Job, after};
use crate::{
    application::{Error, jobs::CancelJob},
    http::{
        State,
        extract::{Caller, JobPath},
        reply::Updated,
    },
};

/// Cancel a job that waits or runs. The program of one that runs is told to end, and soon made to.
#[utoipa::path(post, path = "/jobs/{job_id}/cancel", tag = "jobs", operation_id = "cancelJob")]
pub async fn cancel(
    Extract(state): Extract<State>,
    caller: Caller,
    JobPath { job_id }: JobPath,
) -> Result<Updated<Job>, Error> {
    let done = state.app.run(&caller.context, &CancelJob { job_id }).await?;
    let job = after(&state, job_id, done.reply).await?;
    Ok(Updated::new(done.position, done.visible, job.version, &job))
}
