//! `POST /auth/refresh`

use axum::{Json, extract::State as Extract};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::Tokens;
use crate::{
    application::Error,
    http::{State, extract, reply::to_its_end},
};

/// The refresh token to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The latest refresh token of the session.
    refresh_token: String,
}

/// Exchange a refresh token for a new pair. A retry within ten seconds gets the same pair's refresh token; the use of
/// an older one ends the session.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = RefreshRequest, security(()),
    responses((status = 200, description = "A new pair", body = Tokens),
              (status = 401, description = "Not, or no longer, valid", body = crate::http::problem::ProblemDetails,
               content_type = "application/problem+json")))]
pub async fn refresh(
    Extract(state): Extract<State>,
    extract::Correlation(correlation_id): extract::Correlation,
    extract::Json(RefreshRequest { refresh_token }): extract::Json<RefreshRequest>,
) -> Result<Json<Tokens>, Error> {
    let identity = state.identity.clone();
    let pair = to_its_end(async move { identity.refresh(correlation_id, &refresh_token).await }).await?;
    Tokens::of(&state.app, pair).await.map(Json)
}
