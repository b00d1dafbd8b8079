//! Why a token is not accepted.

use super::MAX_TOKEN_LENGTH;
use crate::jws::InvalidJws;

/// Why a token was refused. The detail is for the log; the client sees 401 and whether its token has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejected {
    /// A token of ours in every respect, whose time is over: the client should refresh.
    #[error("the access token has expired")]
    Expired,
    /// The token is wrong in something other than its expiry. The source says in what.
    #[error("the access token is invalid")]
    Invalid(#[source] InvalidToken),
}

impl From<InvalidToken> for TokenRejected {
    fn from(reason: InvalidToken) -> Self {
        Self::Invalid(reason)
    }
}

/// What is wrong with a token. Holds nothing the sender wrote, so that it can be logged as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// The token is longer than [`MAX_TOKEN_LENGTH`].
    #[error("longer than {MAX_TOKEN_LENGTH} bytes")]
    TooLong,
    /// Not three parts joined by dots.
    #[error("not three parts")]
    Parts,
    /// The header is no base64url of a JSON object without repeated keys.
    #[error("malformed header")]
    Header,
    /// The header carries that parameter, which could change how the token is read.
    #[error("header parameter {0} refused")]
    HeaderParameter(&'static str),
    /// `alg` is missing or not `EdDSA`.
    #[error("wrong alg")]
    Algorithm,
    /// `typ` is missing or not `at+jwt`: a token made for another purpose.
    #[error("wrong typ")]
    Type,
    /// `kid` is missing or names no key of the ring.
    #[error("unknown kid")]
    UnknownKey,
    /// The signature does not belong to the key and the text.
    #[error("wrong signature")]
    Signature,
    /// The claims are no base64url of a JSON object without repeated keys.
    #[error("malformed claims")]
    Claims,
    /// A required claim is missing.
    #[error("claim {0} missing")]
    MissingClaim(&'static str),
    /// A claim has the wrong type, or a value out of all bounds.
    #[error("claim {0} has the wrong form")]
    ClaimForm(&'static str),
    /// `iss` is not ours.
    #[error("wrong iss")]
    Issuer,
    /// `aud` is not exactly ours.
    #[error("wrong aud")]
    Audience,
    /// `exp` is not after `iat` and `nbf`, or more than [`MAX_LIFETIME`](super::MAX_LIFETIME) after `iat`.
    #[error("impossible lifetime")]
    Lifetime,
    /// `nbf` or `iat` is in the future.
    #[error("not valid yet")]
    NotYetValid,
}

impl From<InvalidJws> for InvalidToken {
    fn from(reason: InvalidJws) -> Self {
        match reason {
            InvalidJws::TooLong => Self::TooLong,
            InvalidJws::Parts => Self::Parts,
            InvalidJws::Header => Self::Header,
            InvalidJws::Critical => Self::HeaderParameter("crit"),
            InvalidJws::Algorithm => Self::Algorithm,
            InvalidJws::Signature => Self::Signature,
            InvalidJws::Claims => Self::Claims,
        }
    }
}
