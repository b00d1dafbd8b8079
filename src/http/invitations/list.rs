//! `GET /projects/{project_id}/invitations` and `GET /organizations/{organization_id}/invitations`

use axum::extract::State as Extract;

use super::model::Invitation;
use crate::{
    application::{
        Error,
        invitations::{self, Host},
    },
    http::{
        State,
        extract::{Caller, OrganizationPath, ProjectPath, Query},
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// The invitations to a project that wait for an answer, the newest first.
#[utoipa::path(get, path = "/projects/{project_id}/invitations", tag = "invitations",
    operation_id = "listInvitations", responses((status = 403)))]
pub async fn list_invitations(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<PageParams>,
) -> Result<List<Invitation>, Error> {
    list(&state, &caller, Host::Project(project_id), &params).await
}

/// The invitations to an organization that wait for an answer, the newest first.
#[utoipa::path(get, path = "/organizations/{organization_id}/invitations", tag = "invitations",
    operation_id = "listOrganizationInvitations", responses((status = 403)))]
pub async fn list_organization_invitations(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    Query(params): Query<PageParams>,
) -> Result<List<Invitation>, Error> {
    list(&state, &caller, Host::Organization(organization_id), &params).await
}

async fn list(state: &State, caller: &Caller, host: Host, params: &PageParams) -> Result<List<Invitation>, Error> {
    at_position(state, params.min_position).await?;
    let page = params.page()?;
    super::check(state, caller, host).await?;
    let listed = invitations::list(state.app.pool(), host, page).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
