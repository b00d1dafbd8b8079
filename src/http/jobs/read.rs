//! `GET /jobs/{job_id}`

use axum::extract::State as Extract;
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::jobs;

use super::model::Job;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, JobPath, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One job, with what it printed.
#[utoipa::path(get, path = "/jobs/{job_id}", tag = "jobs", operation_id = "getJob", responses((status = 403)))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    JobPath { job_id }: JobPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Job>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let job = jobs::find(state.app.pool(), job_id).await?.ok_or(Error::not_found("job"))?;
    match job.project_id {
        Some(project_id) => {
            // Whoever may not know of the project may not know of the job.
            let seen = state.app.project_for(account_id, ProjectId(project_id), Action::ViewJobs).await;
            seen.map_err(|error| if error.kind() == Kind::NotFound { Error::not_found("job") } else { error })?;
        }
        None if job.submitted_by == Uuid::from(account_id) => {}
        None => return Err(Error::not_found("job")),
    }
    let representation = Representation::by_content_if(job.started_at.is_some());
    OkOrNotModified::new(&known, job.version, representation, &Job::from(job))
}
