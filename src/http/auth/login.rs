//! `POST /auth/login`

use axum::{Json, extract::State as Extract};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::Tokens;
use crate::{
    application::Error,
    http::{State, client_address::ClientAddress, extract, reply::to_its_end},
    identity::SignIn,
};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// E-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Password.
    #[schema(example = "an analytical engine")]
    password: String,
}

/// Sign in, and start a session.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LoginRequest, security(()),
    responses((status = 200, description = "Signed in", body = Tokens),
              (status = 401, description = "Wrong address or password", body = crate::http::problem::ProblemDetails,
               content_type = "application/problem+json"),
              (status = 429, description = "Too many failures; see `Retry-After`",
               body = crate::http::problem::ProblemDetails, content_type = "application/problem+json")))]
pub async fn login(
    Extract(state): Extract<State>,
    extract::Correlation(correlation_id): extract::Correlation,
    ClientAddress(address): ClientAddress,
    extract::UserAgent(user_agent): extract::UserAgent,
    extract::Json(LoginRequest { email, password }): extract::Json<LoginRequest>,
) -> Result<Json<Tokens>, Error> {
    let identity = state.identity.clone();
    let sign_in = SignIn { email, password, address, user_agent };
    let pair = to_its_end(async move { identity.login(correlation_id, &sign_in).await }).await?;
    Tokens::of(&state.app, pair).await.map(Json)
}
