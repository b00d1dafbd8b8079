//! `GET /organizations`

use axum::{Json, extract::State as Extract};
use workroom_projections::organizations;

use super::model::Organization;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query},
        page::{Items, PageParams},
        reply::at_position,
    },
};

/// The organizations that the caller belongs to, newest first.
#[utoipa::path(get, path = "/organizations", tag = "organizations", params(PageParams),
    responses((status = 200, description = "A part of the list", body = Items<Organization>)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<Organization>>, Error> {
    at_position(&state, params.min_position).await?;
    let listed = organizations::list(state.app.pool(), caller.identity.account_id, params.page()?).await?;
    Items::of(listed, |row| Ok(row.into())).map(Json)
}
