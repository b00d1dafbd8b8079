//! `POST /jobs/cancel`

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

/// Cancel many jobs: all that wait or run, and fit. The reply is the job that does it; its `result.control` says how many
/// they were. Each is cancelled in the name of who asks, and only where they may. With `status: "pending"` it empties a
/// queue, and stops nothing that runs.
#[utoipa::path(post, path = "/jobs/cancel", tag = "jobs", operation_id = "cancelJobs", responses((status = 404)))]
pub async fn cancel_many(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    body: Body<ControlJobsRequest>,
) -> Result<Accepted<Job>, Error> {
    submit(&state, &caller, key, body, ControlAction::Cancel).await
}
