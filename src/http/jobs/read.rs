//! `GET /jobs/{job_id}`

use axum::extract::State as Extract;
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{AccountId, JobId, ProjectId},
};
use workroom_projections::jobs::{self, JobStanding};

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
    let job = jobs::find(state.app.pool(), job_id).await?.ok_or(Error::not_found("job"))?;
    admit(&state, caller.identity.account_id, job.project_id, job.submitted_by).await?;
    let place = if job.status == "pending" { jobs::place(state.app.pool(), job_id).await? } else { None };
    let representation = Representation::by_content_if(place.is_some() || job.started_at.is_some());
    OkOrNotModified::new(&known, job.version, representation, &Job::from(job).placed(place))
}

/// How far a job is that an account may see.
///
/// # Errors
/// `Kind::NotFound` where it may not know of it, `Kind::Forbidden`.
pub(super) async fn visible(state: &State, account_id: AccountId, job_id: JobId) -> Result<JobStanding, Error> {
    let job = jobs::standing(state.app.pool(), job_id).await?.ok_or(Error::not_found("job"))?;
    admit(state, account_id, job.project_id, job.submitted_by).await?;
    Ok(job)
}

/// Insists that an account may see a job.
async fn admit(
    state: &State,
    account_id: AccountId,
    project_id: Option<Uuid>,
    submitted_by: Uuid,
) -> Result<(), Error> {
    match project_id {
        Some(project_id) => {
            let seen = state.app.project_for(account_id, ProjectId(project_id), Action::ViewJobs).await;
            seen.map(drop).map_err(|error| error.or_hidden(|| Error::not_found("job")))
        }
        None if submitted_by == Uuid::from(account_id) => Ok(()),
        None => Err(Error::not_found("job")),
    }
}
