//! `POST /jobs/delete`

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

/// Delete many jobs: all that are over, and fit. The reply is the job that does it; its `result.control` says how many
/// they were. Each is deleted in the name of who asks, and only where they may.
#[utoipa::path(post, path = "/jobs/delete", tag = "jobs", operation_id = "deleteJobs", responses((status = 404)))]
pub async fn delete_many(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    body: Body<ControlJobsRequest>,
) -> Result<Accepted<Job>, Error> {
    submit(&state, &caller, key, body, ControlAction::Delete).await
}
