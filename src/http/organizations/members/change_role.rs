//! `PATCH /organizations/{organization_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    Decide, access,
    ids::{AccountId, OrganizationId},
    organization::Organization,
};
use workroom_projections::{
    accounts,
    history::{self, Which},
    organizations,
};

use crate::{
    application::{Error, organizations::ChangeOrganizationRole, reactor::Demoted},
    http::{
        State, beside,
        extract::{Caller, IfMatch, Json, Path},
        organizations::model::{OrganizationMember, OrganizationRole},
        reply::{changed, with_ended_invitations},
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
    responses((status = 200, description = "The member afterwards", body = OrganizationMember,
        headers(("Workroom-Ended-Invitations" = Option<String>, description = "Ids of the member's open invitations that ended with it, separated by commas; at most a hundred")))))]
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
    let pool = state.app.pool();
    let mut member =
        if let Some(row) = beside::added(organizations::find_member(pool, organization, account_id)).await? {
            OrganizationMember::from(row)
        } else {
            let naming = Some(("account_id", user_id));
            let which = Which {
                aggregate_type: Organization::TYPE,
                aggregate_id: organization_id,
                event_types: &["OrganizationMemberAdded"],
                naming,
            };
            let added = match history::last_cause(pool, which).await? {
                Some(added) => Some(added),
                // Who founded it.
                None => state.app.creation(Organization::TYPE, organization_id).await?,
            };
            let added_at = added.map_or(caller.context.now, |added| added.at);
            OrganizationMember::of(user_id, accounts::find(pool, user_id).await?, added_at)
        };
    let Demoted { done, ended_invitations } = state.app.demote(&caller.context, account_id, &command).await?;
    role.as_str().clone_into(&mut member.role);
    let response = changed(done.position, done.visible, done.reply, &member);
    Ok(with_ended_invitations(response, &ended_invitations))
}
