//! `POST /auth/refresh`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::Tokens;
use crate::{
    application::Error,
    http::{
        State, extract,
        reply::{Shown, uncancellable},
    },
};

/// The refresh token to exchange for a new pair.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The latest refresh token of the session.
    refresh_token: String,
}

impl extract::RequestBody for RefreshRequest {}

/// Exchange a refresh token for a new pair. A retry within ten seconds gets the same pair's refresh token; the use of
/// an older one ends the session.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth",
    operation_id = "refreshTokens", security(()), responses((status = 401)))]
pub async fn refresh(
    Extract(state): Extract<State>,
    extract::Correlation(correlation_id): extract::Correlation,
    extract::Json(RefreshRequest { refresh_token }): extract::Json<RefreshRequest>,
) -> Result<Shown<Tokens>, Error> {
    let identity = state.identity.clone();
    let pair = uncancellable(async move { identity.refresh(correlation_id, &refresh_token).await }).await?;
    Tokens::of(&state.app, pair).await.map(Shown)
}
