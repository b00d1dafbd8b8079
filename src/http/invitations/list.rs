//! `GET /projects/{project_id}/invitations` and `GET /organizations/{organization_id}/invitations`

use axum::{Json, extract::State as Extract};
use uuid::Uuid;
use workroom_domain::ids::{OrganizationId, ProjectId};

use super::model::Invitation;
use crate::{
    application::{
        Error,
        invitations::{self, Host},
    },
    http::{
        State,
        extract::{Caller, Path, Query},
        page::{Items, PageParams},
        reply::at_position,
    },
};

/// The invitations to a project that wait for an answer, the newest first.
#[utoipa::path(get, path = "/projects/{project_id}/invitations", tag = "invitations",
    params(("project_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the list", body = Items<Invitation>)))]
pub async fn list_invitations(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<Invitation>>, Error> {
    list(&state, &caller, Host::Project(ProjectId(project_id)), &params).await
}

/// The invitations to an organization that wait for an answer, the newest first.
#[utoipa::path(get, path = "/organizations/{organization_id}/invitations", tag = "invitations",
    params(("organization_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the list", body = Items<Invitation>)))]
pub async fn list_organization_invitations(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<Invitation>>, Error> {
    list(&state, &caller, Host::Organization(OrganizationId(organization_id)), &params).await
}

async fn list(
    state: &State,
    caller: &Caller,
    host: Host,
    params: &PageParams,
) -> Result<Json<Items<Invitation>>, Error> {
    at_position(state, params.min_position).await?;
    let page = params.page()?;
    super::check(state, caller, host).await?;
    let listed = invitations::list(state.app.pool(), host, page).await?;
    Items::of(listed, |row| Ok(row.into())).map(Json)
}
