//! `PUT` and `PATCH /projects/{project_id}/members/{user_id}`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{Decide, membership::Membership};
use workroom_projections::{
    accounts,
    history::{self, Which},
    members,
};

use super::model::Member;
use crate::{
    application::{Error, members::ChangeMemberRole, reactor::Demoted},
    http::{
        State, beside,
        extract::{Caller, IfMatch, Json, MemberPath, RequestBody},
        projects::Role,
        reply::{Updated, WithEndedInvitations},
    },
};

/// The role that the member is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRoleRequest {
    /// The role that the member is to have.
    role: Role,
}

impl RequestBody for ChangeRoleRequest {}

/// Give a member of a project another role.
#[utoipa::path(
    method(patch, put),
    path = "/projects/{project_id}/members/{user_id}",
    tag = "members",
    operation_id = "updateMember"
)]
pub async fn change_role(
    Extract(state): Extract<State>,
    caller: Caller,
    MemberPath { project_id, user_id }: MemberPath,
    IfMatch(if_version): IfMatch,
    Json(ChangeRoleRequest { role }): Json<ChangeRoleRequest>,
) -> Result<WithEndedInvitations<Updated<Member>>, Error> {
    let command = ChangeMemberRole { project_id, account_id: user_id, role: role.into(), if_version };
    let pool = state.app.pool();
    let mut member =
        if let Some(row) = beside::added(members::find(pool, command.project_id, command.account_id)).await? {
            Member::from(row)
        } else {
            let naming = Some(("account_id", user_id.into()));
            let which = Which {
                aggregate_type: Membership::TYPE,
                aggregate_id: project_id.into(),
                event_types: &["MemberAdded"],
                naming,
            };
            let added_at = history::last_cause(pool, which).await?.map_or(caller.context.now, |added| added.at);
            Member::of(user_id.into(), accounts::find(pool, user_id.into()).await?, added_at)
        };
    let account_id = command.account_id;
    let Demoted { done, ended_invitations } = state.app.demote(&caller.context, account_id, &command).await?;
    let (role, version) = done.reply;
    role.as_str().clone_into(&mut member.role);
    let reply = Updated::new(done.position, done.visible, version, &member);
    Ok(WithEndedInvitations { reply, ended: ended_invitations })
}
