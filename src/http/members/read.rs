//! `GET /projects/{project_id}/members/{user_id}`

use axum::extract::State as Extract;
use workroom_domain::access::Action;
use workroom_projections::members;

use super::model::Member;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, MemberPath, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One member of a project. Its version is that of the whole membership.
#[utoipa::path(get, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    operation_id = "getMember", responses((status = 403)))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    MemberPath { project_id, user_id }: MemberPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Member>, Error> {
    at_position(&state, params.min_position).await?;
    let look = members::find_with_version(state.app.pool(), project_id, user_id);
    let account_id = caller.identity.account_id;
    let (_, found) = state.app.project_with(account_id, project_id, Action::ViewMembers, look).await?;
    let (member, version) = found.ok_or(Error::not_found("member"))?;
    // Names change without the membership.
    OkOrNotModified::new(&known, version, Representation::ByContent, &Member::from(member))
}
