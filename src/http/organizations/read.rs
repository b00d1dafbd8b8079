//! `GET /organizations/{organization_id}`

use axum::extract::State as Extract;

use super::model::Organization;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, OrganizationPath, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One organization, with its settings and the caller's role in it.
#[utoipa::path(get, path = "/organizations/{organization_id}", tag = "organizations", operation_id = "getOrganization")]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Organization>, Error> {
    at_position(&state, params.min_position).await?;
    let organization = state.app.organization_for(caller.identity.account_id, organization_id).await?;
    OkOrNotModified::new(&known, organization.version, Representation::ByVersion, &Organization::from(organization))
}
