//! `POST /jobs/retry`

use axum::extract::State as Extract;
use workroom_domain::job::ControlAction;

use super::{
    bulk::{ControlJobsRequest, submit},
    model::Job,
};
use crate::{
    application::Error,
    http::{
        State,
        extract::{Body, Caller, ClientKey},
        reply::Accepted,
    },
};

/// Do many jobs again: all that have failed or were cancelled, and fit. The reply is the job that sees to it; its
/// `result.control` says how many they were. Each is done again in the name of who asks, only where they may, and as far
/// as more jobs may wait.
#[utoipa::path(post, path = "/jobs/retry", tag = "jobs", operation_id = "retryJobs", responses((status = 404)))]
pub async fn retry_many(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    body: Body<ControlJobsRequest>,
) -> Result<Accepted<Job>, Error> {
    submit(&state, &caller, key, body, ControlAction::Retry).await
}
