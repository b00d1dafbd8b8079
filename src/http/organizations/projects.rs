//! `GET /organizations/{organization_id}/projects`

use axum::{Json, extract::State as Extract};
use uuid::Uuid;
use workroom_domain::ids::OrganizationId;
use workroom_projections::projects::{self, Filter};

use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        page::{Items, PageParams},
        projects::Project,
        reply::at_position,
    },
};

/// The projects of an organization that the caller belongs to; all of them for its admins. Newest first.
#[utoipa::path(get, path = "/organizations/{organization_id}/projects", tag = "organizations",
    params(("organization_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the list", body = Items<Project>)))]
pub async fn list_projects(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<Project>>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    state.app.organization_for(account_id, OrganizationId(organization_id)).await?;
    let filter = Filter { organization_id: Some(OrganizationId(organization_id)), status: None };
    let listed = projects::list(state.app.pool(), account_id, filter, params.page()?).await?;
    Items::of(listed, |row| Ok(row.into())).map(Json)
}
