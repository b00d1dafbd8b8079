//! `GET /projects/{project_id}/members`

use axum::extract::State as Extract;
use workroom_domain::access::Action;
use workroom_projections::{members, page::Listed};

use super::model::Member;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, ProjectPath, Query},
        page::{Items, PageParams},
        reply::{VersionedList, at_position},
    },
};

/// The members of a project, those who joined first first.
#[utoipa::path(get, path = "/projects/{project_id}/members", tag = "members",
    operation_id = "listMembers", responses((status = 403)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<PageParams>,
) -> Result<VersionedList<Member>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let look = members::list(state.app.pool(), project_id, page.after, page.limit + 1, page.skip);
    let account_id = caller.identity.account_id;
    let (_, list) = state.app.project_then(account_id, project_id, Action::ViewMembers, page.skip, look).await?;
    let listed = Listed::from_one_more(list.members, page, |member| member.account_id);
    let items = Items::of(listed, |row| Ok(Member::from(row)))?;
    Ok(VersionedList::new(items, list.version))
}
