//! `GET /projects/{project_id}/workspaces`

use axum::{Json, extract::State as Extract};
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::workspaces;

use super::model::Workspace;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        page::{Items, PageParams},
        reply::at_position,
    },
};

/// The workspaces of a project, in the order in which they were opened.
#[utoipa::path(get, path = "/projects/{project_id}/workspaces", tag = "workspaces",
    params(("project_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the list", body = Items<Workspace>)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<Workspace>>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let (account_id, look) =
        (caller.identity.account_id, workspaces::list(state.app.pool(), ProjectId(project_id), page));
    let (_, listed) =
        state.app.project_then(account_id, ProjectId(project_id), Action::ViewFiles, page.skip, look).await?;
    Items::of(listed, |row| Ok(row.into())).map(Json)
}
