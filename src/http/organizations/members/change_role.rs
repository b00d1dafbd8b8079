//! `PATCH /organizations/{organization_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    access,
    ids::{AccountId, OrganizationId},
};
use workroom_projections::organizations;

use crate::{
    application::{Error, organizations::ChangeOrganizationRole},
    http::{
        State,
        extract::{Caller, IfMatch, Json, Path},
        organizations::model::{OrganizationMember, OrganizationRole},
        reply::changed,
    },
};

/// The new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrganizationRoleRequest {
    /// The new role.
    role: OrganizationRole,
}

/// Give a member of an organization another role.
#[utoipa::path(patch, path = "/organizations/{organization_id}/members/{user_id}", tag = "organizations",
    params(("organization_id" = Uuid, Path), ("user_id" = Uuid, Path)), request_body = ChangeOrganizationRoleRequest,
    responses((status = 200, description = "The member afterwards", body = OrganizationMember)))]
pub async fn change_member_role(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((organization_id, user_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<ChangeOrganizationRoleRequest>,
) -> Result<Response, Error> {
    let role = access::OrganizationRole::from(request.role);
    let (organization, account_id) = (OrganizationId(organization_id), AccountId(user_id));
    let command = ChangeOrganizationRole { organization_id: organization, account_id, role, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    let member = organizations::find_member(state.app.pool(), organization_id, user_id).await?;
    let member = OrganizationMember::from(member.ok_or(Error::NotFound("member"))?);
    Ok(changed(done.position, done.visible, done.reply, &member))
}
