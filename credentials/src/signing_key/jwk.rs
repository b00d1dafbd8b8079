//! Public keys as they are published (RFC 7517, RFC 8037).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use super::PUBLIC_KEY_LENGTH;

/// A public key as the JWKS publishes it (RFC 7517, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    /// Key type, always `OKP`.
    pub kty: &'static str,
    /// Curve, always `Ed25519`.
    pub crv: &'static str,
    /// The public key, base64url without padding.
    pub x: String,
    /// The key's name: its RFC 7638 thumbprint.
    pub kid: String,
    /// The algorithm of the key's signatures, always `EdDSA`.
    pub alg: &'static str,
    /// What the key is used for, always `sig`: signatures.
    #[serde(rename = "use")]
    pub usage: &'static str,
}

/// The body of `GET /.well-known/jwks.json` (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// Every key whose tokens are accepted now or will be soon.
    pub keys: Vec<PublicJwk>,
}

/// RFC 7638 §3: SHA-256 over the required members in lexicographic order, without spaces.
pub(super) fn thumbprint(public: &[u8; PUBLIC_KEY_LENGTH]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}
