//! `DELETE /jobs/{job_id}`

use axum::extract::State as Extract;

use crate::{
    application::{
        Error,
        jobs::{DeleteJob, DeleteJobData},
    },
    http::{
        State,
        extract::{Caller, IfMatch, JobPath},
        reply::Deleted,
    },
};

/// Delete a job that is over, with its program, what it printed and what it left. The history still tells that it was
/// there.
#[utoipa::path(delete, path = "/jobs/{job_id}", tag = "jobs", operation_id = "deleteJob")]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    JobPath { job_id }: JobPath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let command = DeleteJob { job_id, if_version };
    let done = state.app.run_with_tables(&caller.context, &command, &DeleteJobData(job_id)).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
