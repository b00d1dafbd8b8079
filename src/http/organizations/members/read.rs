//! `GET /organizations/{organization_id}/members/{user_id}`

use axum::extract::State as Extract;
use workroom_projections::organizations;

use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, OrganizationMemberPath, Query},
        organizations::model::OrganizationMember,
        projects::read::ReadParams,
        reply::{Shown, at_position},
    },
};

/// One member of an organization.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/members/{user_id}",
    tag = "organizations",
    operation_id = "getOrganizationMember"
)]
pub async fn read_member(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationMemberPath { organization_id, user_id }: OrganizationMemberPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<OrganizationMember>, Error> {
    at_position(&state, params.min_position).await?;
    state.app.organization_for(caller.identity.account_id, organization_id).await?;
    let member = organizations::find_member(state.app.pool(), organization_id, user_id).await?;
    Ok(Shown(member.ok_or(Error::not_found("member"))?.into()))
}
