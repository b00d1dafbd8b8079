//! `GET /projects`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_domain::ids::OrganizationId;
use workroom_projections::projects::{self, Filter};

use super::model::{Project, ProjectStatus};
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query},
        page::{Items, page},
        reply::{List, at_position},
    },
};

/// The query parameters of `GET /projects`: which projects to list, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListProjectsParams {
    /// Only of this organization.
    organization_id: Option<Uuid>,
    /// Only of this status.
    status: Option<ProjectStatus>,
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

/// The projects that the caller belongs to, and all of the organizations that the caller administers or audits; newest
/// first.
#[utoipa::path(get, path = "/projects", tag = "projects", operation_id = "listProjects")]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<ListProjectsParams>,
) -> Result<List<Project>, Error> {
    at_position(&state, params.min_position).await?;
    let page = page(params.limit, params.cursor.as_deref(), params.skip)?;
    let status = params.status.map(|status| workroom_domain::project::ProjectStatus::from(status).as_str());
    let filter = Filter { organization_id: params.organization_id.map(OrganizationId), status };
    let listed = projects::list(state.app.pool(), caller.identity.account_id, filter, page).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
