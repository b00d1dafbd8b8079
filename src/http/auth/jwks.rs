//! `GET /.well-known/jwks.json`

use axum::{Json, extract::State as Extract};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::State,
    identity::signing_key::{Jwks, PublicJwk},
};

/// A public key (RFC 7517, RFC 8037).
#[derive(Serialize, ToSchema)]
pub struct JsonWebKey {
    /// The key type: always `OKP`.
    #[schema(example = "OKP")]
    kty: &'static str,
    /// The curve: always `Ed25519`.
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// The public key, in base64url without padding.
    x: String,
    /// The key's name, which tokens carry in their header: its thumbprint (RFC 7638).
    kid: String,
    /// The algorithm: always `EdDSA`.
    #[schema(example = "EdDSA")]
    alg: &'static str,
    /// What it is for: always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
}

/// The keys that access tokens can be checked with.
#[derive(Serialize, ToSchema)]
pub struct JsonWebKeySet {
    /// Every key whose tokens are accepted now, or will be soon.
    keys: Vec<JsonWebKey>,
}

impl From<Jwks> for JsonWebKeySet {
    fn from(Jwks { keys }: Jwks) -> Self {
        let key = |PublicJwk { kty, crv, x, kid, alg, usage }| JsonWebKey { kty, crv, x, kid, alg, usage };
        Self { keys: keys.into_iter().map(key).collect() }
    }
}

/// The public keys that access tokens can be checked with (RFC 7517).
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "service",
    operation_id = "getKeys",
    security(()),
    responses((status = 200, description = "The keys.", body = JsonWebKeySet), (status = 429))
)]
pub async fn jwks(Extract(state): Extract<State>) -> Json<JsonWebKeySet> {
    Json(state.identity.jwks().into())
}
