//! Bearer tokens of other issuers (`OpenID` Connect Core 1.0, RFC 7519): checked as strictly as our own, by the same
//! [parser](crate::jws).
//!
//! RS256, ES256 and EdDSA, as the key in the issuer's JWKS allows; `iss`, `sub`, `exp` required; `aud`, or where a token
//! has none `azp`, must be one that is configured; and no token may have been made to hold for longer than is configured.
//! Whatever names a key of the sender's choice is passed over. Who fetches the keys is not decided here.

mod claims;
mod issuer;
mod keys;
mod token;

use crate::jws::{InvalidJws, Limits};

pub use claims::ExternalClaims;
pub use issuer::{ExternalIssuer, VerifiedToken};
pub use keys::{KeySet, MalformedKeySet};
pub use token::ExternalToken;

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_LENGTH: usize = 8192;

/// Issuers tell more than we ask for: roles, groups, addresses.
const LIMITS: Limits = Limits { bytes: MAX_TOKEN_LENGTH, members: 256, depth: 16 };

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalRejected {
    /// It has ended, and is right in everything else.
    #[error("the token has expired")]
    Expired,
    /// It is not right. What is wrong is for the log; it holds nothing that the sender wrote.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
}

impl From<InvalidJws> for ExternalRejected {
    fn from(reason: InvalidJws) -> Self {
        Self::Invalid(match reason {
            InvalidJws::TooLong => "too long",
            InvalidJws::Parts => "not three parts",
            InvalidJws::Header => "header",
            InvalidJws::Critical => "crit",
            InvalidJws::Algorithm => "alg",
            InvalidJws::Signature => "signature",
            InvalidJws::Claims => "claims",
        })
    }
}

#[cfg(test)]
mod tests;
