//! `PATCH /organizations/{organization_id}/members/{user_id}`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{Decide, access, organization::Organization};
use workroom_projections::{
    accounts,
    history::{self, Which},
    organizations,
};

use crate::{
    application::{Error, organizations::ChangeOrganizationRole, reactor::Demoted},
    http::{
        State, beside,
        extract::{Caller, IfMatch, Json, OrganizationMemberPath, RequestBody},
        organizations::model::{OrganizationMember, OrganizationRole},
        reply::{Updated, WithEndedInvitations},
    },
};

/// The new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrganizationRoleRequest {
    /// The new role.
    role: OrganizationRole,
}

impl RequestBody for ChangeOrganizationRoleRequest {}

/// Give a member of an organization another role. Whoever becomes an auditor leaves its projects; what only they owned
/// goes to an admin.
#[utoipa::path(
    method(patch, put),
    path = "/organizations/{organization_id}/members/{user_id}",
    tag = "organizations",
    operation_id = "updateOrganizationMember"
)]
pub async fn change_member_role(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationMemberPath { organization_id, user_id }: OrganizationMemberPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<ChangeOrganizationRoleRequest>,
) -> Result<WithEndedInvitations<Updated<OrganizationMember>>, Error> {
    let role = access::OrganizationRole::from(request.role);
    let (organization, account_id) = (organization_id, user_id);
    let command = ChangeOrganizationRole { organization_id: organization, account_id, role, if_version };
    let pool = state.app.pool();
    let mut member =
        if let Some(row) = beside::added(organizations::find_member(pool, organization, account_id)).await? {
            OrganizationMember::from(row)
        } else {
            let naming = Some(("account_id", user_id.into()));
            let which = Which {
                aggregate_type: Organization::TYPE,
                aggregate_id: organization_id.into(),
                event_types: &["OrganizationMemberAdded"],
                naming,
            };
            let added = match history::last_cause(pool, which).await? {
                Some(added) => Some(added),
                // Who created it.
                None => state.app.creation(Organization::TYPE, organization_id.into()).await?,
            };
            let added_at = added.map_or(caller.context.now, |added| added.at);
            OrganizationMember::of(user_id.into(), accounts::find(pool, user_id.into()).await?, added_at)
        };
    let Demoted { done, ended_invitations } = state.app.change_organization_role(&caller.context, &command).await?;
    role.as_str().clone_into(&mut member.role);
    let reply = Updated::new(done.position, done.visible, done.reply, &member);
    Ok(WithEndedInvitations { reply, ended: ended_invitations })
}
