//! `GET /projects/{project_id}/members/{user_id}`

use axum::{Json, extract::State as Extract};
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::members;

use super::model::Member;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        projects::read::ReadParams,
        reply::at_position,
    },
};

/// One member of a project.
#[utoipa::path(get, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    params(("project_id" = Uuid, Path), ("user_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The member", body = Member)))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
) -> Result<Json<Member>, Error> {
    at_position(&state, params.min_position).await?;
    let (account_id, look) = (caller.identity.account_id, members::find(state.app.pool(), project_id, user_id));
    let (_, member) = state.app.project_with(account_id, ProjectId(project_id), Action::ViewMembers, look).await?;
    Ok(Json(member.ok_or(Error::NotFound("member"))?.into()))
}
