//! `GET /jobs/{job_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
    access::Action,
    ids::{JobId, ProjectId},
};
use workroom_projections::jobs;

use super::model::Job;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One job, with what it printed.
#[utoipa::path(get, path = "/jobs/{job_id}", tag = "jobs", params(("job_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The job", body = Job),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(job_id): Path<Uuid>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let job = jobs::find(state.app.pool(), JobId(job_id)).await?.ok_or(Error::not_found("job"))?;
    match job.project_id {
        Some(project_id) => {
            // Whoever may not know of the project may not know of the job.
            let seen = state.app.project_for(account_id, ProjectId(project_id), Action::ViewJobs).await;
            seen.map_err(|error| if error.kind() == Kind::NotFound { Error::not_found("job") } else { error })?;
        }
        None if job.submitted_by == Uuid::from(account_id) => {}
        None => return Err(Error::not_found("job")),
    }
    let sight = Sight::more_if(job.started_at.is_some());
    found_unless(&known, job.version, sight, &Job::from(job))
}
