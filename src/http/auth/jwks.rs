//! `GET /.well-known/jwks.json`

use axum::{Json, extract::State as Extract};

use crate::{http::State, identity::signing_key::Jwks};

/// The public keys that access tokens can be checked with (RFC 7517).
pub async fn jwks(Extract(state): Extract<State>) -> Json<Jwks> {
    Json(state.identity.jwks())
}
