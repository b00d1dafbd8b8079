//! `GET /projects/{project_id}/members`

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::{members, page::Listed};

use super::model::Member;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        page::{Items, page},
        reply::{at_position, found},
    },
};

/// Which members.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListMembersParams {
    /// Most items to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Pass over so many items first.
    #[param(minimum = 0, maximum = 100_000)]
    skip: Option<i64>,
    /// Wait, for a bounded time, until the list shows this log position.
    min_position: Option<i64>,
}

/// Everybody in a project.
#[utoipa::path(get, path = "/projects/{project_id}/members", tag = "members",
    params(("project_id" = Uuid, Path), ListMembersParams),
    responses((status = 200, description = "A part of the roster", body = Items<Member>)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    Query(params): Query<ListMembersParams>,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    state.app.project_for(caller.identity.account_id, ProjectId(project_id), Action::ViewMembers).await?;
    let page = page(params.limit, params.cursor.as_deref(), params.skip)?;
    let roster = members::roster(state.app.pool(), project_id, page.after, page.limit + 1, page.skip).await?;
    let listed = Listed::from_one_more(roster.members, page, |member| member.account_id);
    let items = Items::of(listed, |row| Ok(Member::from(row)))?;
    Ok(found(roster.version, &items))
}
