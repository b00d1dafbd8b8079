//! How other issuers are configured.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An issuer whose tokens are accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalIssuerConfig {
    /// `iss` of its tokens, exactly.
    pub issuer: String,
    /// `aud` (or `azp`) of tokens that are meant for this service: one of these.
    pub audience: Vec<String>,
    /// Where its keys are published: https, or http on this machine.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Or the file that holds them.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// The longest life of a token that is accepted, in seconds: from `iat`, else from `nbf`, else from now, to `exp`. A day, if
    /// it is not given. Its first name was `max_token_seconds`, which is still read.
    #[serde(default = "day", alias = "max_token_seconds")]
    pub max_lifetime_seconds: u32,
}

fn day() -> u32 {
    24 * 3600
}
