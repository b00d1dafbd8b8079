//! `GET /projects/{project_id}/workspaces`

use axum::extract::State as Extract;
use workroom_domain::access::Action;
use workroom_projections::workspaces;

use super::model::Workspace;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, ProjectPath, Query},
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// The workspaces of a project, in the order in which they were opened.
#[utoipa::path(get, path = "/projects/{project_id}/workspaces", tag = "workspaces",
    operation_id = "listWorkspaces", responses((status = 403)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<PageParams>,
) -> Result<List<Workspace>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let (account_id, look) = (caller.identity.account_id, workspaces::list(state.app.pool(), project_id, page));
    let (_, listed) = state.app.project_then(account_id, project_id, Action::ViewFiles, page.skip, look).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
