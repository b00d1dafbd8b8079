//! `GET /organizations`

use axum::extract::State as Extract;
use workroom_projections::organizations;

use super::model::Organization;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query},
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// The organizations that the caller belongs to, newest first.
#[utoipa::path(get, path = "/organizations", tag = "organizations", operation_id = "listOrganizations")]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<PageParams>,
) -> Result<List<Organization>, Error> {
    at_position(&state, params.min_position).await?;
    let listed = organizations::list(state.app.pool(), caller.identity.account_id, params.page()?).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
