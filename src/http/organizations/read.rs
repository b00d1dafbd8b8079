//! `GET /organizations/{organization_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::OrganizationId;

use super::model::Organization;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One organization.
#[utoipa::path(get, path = "/organizations/{organization_id}", tag = "organizations",
    params(("organization_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The organization", body = Organization),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let organization = state.app.organization_for(caller.identity.account_id, OrganizationId(organization_id)).await?;
    found_unless(&known, organization.version, Sight::Plain, &Organization::from(organization))
}
