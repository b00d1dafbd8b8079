//! Access tokens: JWTs in the profile of RFC 9068, signed with EdDSA (RFC 8037), good for a quarter of an hour.
//!
//! The verifier follows RFC 8725: it knows one algorithm, one `typ`, one issuer and one audience, and refuses what it does
//! not know. Tokens are taken apart, and their signatures verified, by [`jws`](crate::jws).

mod claims;
mod config;
mod issue;
mod rejected;
mod verify;

use std::time::Duration;

pub use claims::Claims;
pub use config::{AccessTokenConfig, InvalidConfig};
pub use issue::{AccessTokenIssuer, IssueFailed, IssuedAccessToken};
pub use rejected::{InvalidToken, TokenRejected};
pub use verify::AccessTokenVerifier;

use crate::jws::Limits;

/// Longest token that is looked at, in bytes. Ours have about 500.
pub const MAX_TOKEN_LENGTH: usize = 4096;

/// Longest life of a token that is accepted or may be configured, from `iat` to `exp`.
pub const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// Most that instances' clocks may be configured to disagree.
pub const MAX_LEEWAY: Duration = Duration::from_secs(5);

/// Wider and deeper than any token of ours.
const LIMITS: Limits = Limits { bytes: MAX_TOKEN_LENGTH, members: 32, depth: 8 };

/// The `typ` of RFC 9068 §2.1; a verifier must know both spellings.
const TYP: &str = "at+jwt";
const LONG_TYP: &str = "application/at+jwt";

#[cfg(test)]
mod tests;
