//! `POST /jobs/resume`

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

/// Let these jobs start again. A pause of more of them, or of some of them, is another rule, and stays.
#[utoipa::path(
    post,
    path = "/jobs/resume",
    tag = "jobs",
    operation_id = "resumeJobs",
    responses((status = 403), (status = 404), (status = 409))
)]
pub async fn resume(
    Extract(state): Extract<State>,
    caller: Caller,
    Json(request): Json<JobScopeRequest>,
) -> Result<Updated<JobRule>, Error> {
    let scope = request.scope(caller.identity.account_id)?;
    set(&state, &caller, scope, RuleChange::Resume).await
}
