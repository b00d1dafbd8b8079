//! `POST /jobs/pause`

use axum::extract::State as Extract;

use super::{
    model::JobRule,
    request::{JobScopeRequest, set},
};
use crate::{
    application::{Error, job_rules::RuleChange},
    http::{
        State,
        extract::{Caller, Json},
        reply::Updated,
    },
};

/// Let none of these jobs start from now on. Those that run are not touched; what is submitted waits.
#[utoipa::path(
    post,
    path = "/jobs/pause",
    tag = "jobs",
    operation_id = "pauseJobs",
    responses((status = 403), (status = 404), (status = 409))
)]
pub async fn pause(
    Extract(state): Extract<State>,
    caller: Caller,
    Json(request): Json<JobScopeRequest>,
) -> Result<Updated<JobRule>, Error> {
    let scope = request.scope(caller.identity.account_id)?;
    set(&state, &caller, scope, RuleChange::Pause).await
}
