//! `GET /projects/{project_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{AccountId, ProjectId},
};
use workroom_projections::members;

use super::model::Member;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One member of a project. Its version is the roster's.
#[utoipa::path(get, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    params(("project_id" = Uuid, Path), ("user_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The member", body = Member),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let look = members::find_with_version(state.app.pool(), ProjectId(project_id), AccountId(user_id));
    let account_id = caller.identity.account_id;
    let (_, found) = state.app.project_with(account_id, ProjectId(project_id), Action::ViewMembers, look).await?;
    let (member, version) = found.ok_or(Error::not_found("member"))?;
    // Names change without the roster.
    found_unless(&known, version, Sight::More, &Member::from(member))
}
