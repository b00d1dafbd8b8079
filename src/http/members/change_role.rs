//! `PUT` and `PATCH /projects/{project_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, ProjectId};
use workroom_projections::members;

use super::model::Member;
use crate::{
    application::{Error, members::ChangeMemberRole},
    http::{
        State,
        extract::{Caller, IfMatch, Json, Path},
        projects::Role,
        reply::changed,
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
    responses((status = 200, description = "The member afterwards", body = Member)))]
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
    responses((status = 200, description = "The member afterwards", body = Member)))]
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
    let done = state.app.run(&caller.context, &command).await?;
    // Only what never depends on the role is read from the view; should the member be gone again by now, the change was
    // made all the same.
    let (role, version) = done.reply;
    let pool = state.app.pool();
    let mut member = match members::find(pool, project_id, user_id).await? {
        Some(row) => Member::from(row),
        None => Member::bare(user_id, caller.context.now),
    };
    role.as_str().clone_into(&mut member.role);
    Ok(changed(done.position, done.visible, version, &member))
}
