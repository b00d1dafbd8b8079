//! `GET /organizations/{organization_id}/projects`

use axum::extract::State as Extract;
use workroom_projections::projects::{self, Filter};

use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, OrganizationPath, Query},
        page::{Items, PageParams},
        projects::Project,
        reply::{List, at_position},
    },
};

/// The projects of an organization that the caller belongs to; all of them for its admins and auditors. Newest first.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/projects",
    tag = "organizations",
    operation_id = "listOrganizationProjects"
)]
pub async fn list_projects(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    Query(params): Query<PageParams>,
) -> Result<List<Project>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    state.app.organization_for(account_id, organization_id).await?;
    let filter = Filter { organization_id: Some(organization_id), status: None };
    let listed = projects::list(state.app.pool(), account_id, filter, params.page()?).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
