//! `GET /projects/{project_id}/members`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::{members, page::Listed};

use super::model::Member;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        page::{Items, PageParams},
        reply::{at_position, found},
    },
};

/// Everybody in a project.
#[utoipa::path(get, path = "/projects/{project_id}/members", tag = "members",
    params(("project_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the roster", body = Items<Member>)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    Query(params): Query<PageParams>,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let look = members::list(state.app.pool(), ProjectId(project_id), page.after, page.limit + 1, page.skip);
    let account_id = caller.identity.account_id;
    let (_, list) =
        state.app.project_then(account_id, ProjectId(project_id), Action::ViewMembers, page.skip, look).await?;
    let listed = Listed::from_one_more(list.members, page, |member| member.account_id);
    let items = Items::of(listed, |row| Ok(Member::from(row)))?;
    Ok(found(list.version, &items))
}
