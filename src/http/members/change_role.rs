//! `PUT` and `PATCH /projects/{project_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    ids::{AccountId, ProjectId},
    membership::Membership,
};
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
        extract::{Caller, IfMatch, Json, Path},
        projects::Role,
        reply::{changed, with_ended_invitations},
    },
};

/// The new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRoleRequest {
    /// The new role.
    role: Role,
}

/// Give a member another role.
#[utoipa::path(patch, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    params(("project_id" = Uuid, Path), ("user_id" = Uuid, Path)), request_body = ChangeRoleRequest,
    responses((status = 200, description = "The member afterwards", body = Member,
        headers(("Workroom-Ended-Invitations" = Option<String>, description = "Ids of the member's open invitations that ended with it, separated by commas; at most a hundred")))))]
pub async fn change_role(
    state: Extract<State>,
    caller: Caller,
    path: Path<(Uuid, Uuid)>,
    if_match: IfMatch,
    body: Json<ChangeRoleRequest>,
) -> Result<Response, Error> {
    carry_out(state, caller, path, if_match, body).await
}

/// Give a member another role; the same as PATCH.
#[utoipa::path(put, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    params(("project_id" = Uuid, Path), ("user_id" = Uuid, Path)), request_body = ChangeRoleRequest,
    responses((status = 200, description = "The member afterwards", body = Member,
        headers(("Workroom-Ended-Invitations" = Option<String>, description = "Ids of the member's open invitations that ended with it, separated by commas; at most a hundred")))))]
pub async fn set_role(
    state: Extract<State>,
    caller: Caller,
    path: Path<(Uuid, Uuid)>,
    if_match: IfMatch,
    body: Json<ChangeRoleRequest>,
) -> Result<Response, Error> {
    carry_out(state, caller, path, if_match, body).await
}

async fn carry_out(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
    Json(ChangeRoleRequest { role }): Json<ChangeRoleRequest>,
) -> Result<Response, Error> {
    let command = ChangeMemberRole {
        project_id: ProjectId(project_id),
        account_id: AccountId(user_id),
        role: role.into(),
        if_version,
    };
    let pool = state.app.pool();
    let mut member = if let Some(row) =
        beside::added(members::find(pool, command.project_id, command.account_id)).await?
    {
        Member::from(row)
    } else {
        let naming = Some(("account_id", user_id));
        let which =
            Which { aggregate_type: Membership::TYPE, aggregate_id: project_id, event_types: &["MemberAdded"], naming };
        let added_at = history::last_cause(pool, which).await?.map_or(caller.context.now, |added| added.at);
        Member::of(user_id, accounts::find(pool, user_id).await?, added_at)
    };
    let account_id = command.account_id;
    let Demoted { done, ended_invitations } = state.app.demote(&caller.context, account_id, &command).await?;
    let (role, version) = done.reply;
    role.as_str().clone_into(&mut member.role);
    let response = changed(done.position, done.visible, version, &member);
    Ok(with_ended_invitations(response, &ended_invitations))
}
