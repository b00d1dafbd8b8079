//! `GET /organizations/{organization_id}/members`

use axum::{Json, extract::State as Extract};
use uuid::Uuid;
use workroom_domain::ids::OrganizationId;
use workroom_projections::organizations;

use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        organizations::model::OrganizationMember,
        page::{Items, PageParams},
        reply::at_position,
    },
};

/// Everybody in an organization.
#[utoipa::path(get, path = "/organizations/{organization_id}/members", tag = "organizations",
    params(("organization_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the roster", body = Items<OrganizationMember>)))]
pub async fn list_members(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<OrganizationMember>>, Error> {
    at_position(&state, params.min_position).await?;
    state.app.organization_for(caller.identity.account_id, OrganizationId(organization_id)).await?;
    let listed = organizations::members(state.app.pool(), OrganizationId(organization_id), params.page()?).await?;
    Items::of(listed, |row| Ok(row.into())).map(Json)
}
