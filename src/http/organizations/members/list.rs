//! `GET /organizations/{organization_id}/members`

use axum::extract::State as Extract;
use workroom_projections::organizations;

use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, OrganizationPath, Query},
        organizations::model::OrganizationMember,
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// Everybody in an organization.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/members",
    tag = "organizations",
    operation_id = "listOrganizationMembers"
)]
pub async fn list_members(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    Query(params): Query<PageParams>,
) -> Result<List<OrganizationMember>, Error> {
    at_position(&state, params.min_position).await?;
    state.app.organization_for(caller.identity.account_id, organization_id).await?;
    let listed = organizations::members(state.app.pool(), organization_id, params.page()?).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
