//! JSON Web Signatures in compact serialization (RFC 7515 §7.1), as RFC 8725 has them read: the one parser for our own
//! tokens and for those of other issuers, and the one place where their signatures are verified.
//!
//! Before anything is believed, a token is known to be no longer than its [`Limits`] allow, to have exactly three parts, and
//! to begin with a header that is a JSON object in which no name is repeated, at any depth, and which has no `crit`.
//! [`Jws::verify`] then holds `alg` against the one algorithm of the key, checks the signature, and only then reads the
//! claims, as strictly as the header. `jsonwebtoken` makes and checks signatures and nothing else: its own validation lets
//! tokens without `aud`, `iss` or `nbf` pass, ignores `typ` and `crit`, takes fractional times, adds a minute of leeway and
//! reads the clock itself.
//!
//! Which claims must be there, and what they must say, is for [`access_token`](crate::access_token) and
//! [`external`](crate::external) to decide; [`Times`] judges `exp`, `nbf` and `iat` for both.

mod key;
mod object;
mod times;

use std::fmt;

use jsonwebtoken::crypto;

pub use key::{SignatureAlgorithm, VerifyingKey};
#[cfg(test)]
pub(crate) use object::LAST_SECOND;
pub use object::Object;
pub(crate) use object::moment;
pub use times::{Times, Untimely};

/// How large a token may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole token. Longer ones are refused unread.
    pub bytes: usize,
    /// Members of one JSON object.
    pub members: usize,
    /// Objects and arrays within each other, the outermost included.
    pub depth: usize,
}

/// Why a text is no token that can be believed. Holds nothing the sender wrote, so that it can be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJws {
    /// The token is longer than [`Limits::bytes`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts joined by dots.
    #[error("the token has not three parts")]
    Parts,
    /// The header is not canonical base64url of a JSON object, repeats a name, or is over the [`Limits`].
    #[error("the header is malformed")]
    Header,
    /// The header has `crit`: it asks for extensions, and none is known here (RFC 7515 §4.1.11).
    #[error("the header asks for extensions")]
    Critical,
    /// `alg` is missing, or not the algorithm of the key.
    #[error("alg is not the algorithm of the key")]
    Algorithm,
    /// The signature is not canonical base64url, or does not belong to the key and the text.
    #[error("the signature does not hold")]
    Signature,
    /// The claims are not canonical base64url of a JSON object, repeat a name, or are over the [`Limits`].
    #[error("the claims are malformed")]
    Claims,
}

/// A token taken apart. Nothing of it is believed yet; see [`Self::verify`]. `Debug` does not show it.
pub struct Jws<'t> {
    header: Object,
    /// Header and claims as they were signed, with the dot between them (RFC 7515 §2, JWS signing input).
    message: &'t str,
    claims: &'t str,
    signature: &'t str,
    limits: Limits,
}

impl<'t> Jws<'t> {
    /// Takes a token apart, and reads its header.
    ///
    /// # Errors
    /// [`InvalidJws`] for the first rule that is broken: length, parts, header, `crit`.
    pub fn parse(token: &'t str, limits: Limits) -> Result<Self, InvalidJws> {
        if token.len() > limits.bytes {
            return Err(InvalidJws::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidJws::Parts)?;
        let (header, claims) = message.split_once('.').ok_or(InvalidJws::Parts)?;
        if claims.contains('.') {
            return Err(InvalidJws::Parts);
        }
        let header = Object::decode(header, limits).ok_or(InvalidJws::Header)?;
        if header.contains("crit") {
            return Err(InvalidJws::Critical);
        }
        Ok(Self { header, message, claims, signature, limits })
    }

    /// The header, to find the key by. Not believed.
    pub fn header(&self) -> &Object {
        &self.header
    }

    /// The claims, to find the issuer by. Not believed.
    ///
    /// # Errors
    /// [`InvalidJws::Claims`].
    pub fn unverified_claims(&self) -> Result<Object, InvalidJws> {
        Object::decode(self.claims, self.limits).ok_or(InvalidJws::Claims)
    }

    /// Whether the header names this algorithm.
    ///
    /// # Errors
    /// [`InvalidJws::Algorithm`].
    pub fn require_algorithm(&self, algorithm: SignatureAlgorithm) -> Result<(), InvalidJws> {
        if self.header.text("alg") == Some(algorithm.name()) { Ok(()) } else { Err(InvalidJws::Algorithm) }
    }

    /// Verifies the signature, and returns what is signed. The key says what it signs with; the token may only agree
    /// (RFC 8725 §3.1).
    ///
    /// # Errors
    /// [`InvalidJws::Algorithm`], [`InvalidJws::Signature`] or [`InvalidJws::Claims`], in this order.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Object, InvalidJws> {
        self.require_algorithm(key.algorithm())?;
        let algorithm = key.algorithm().of_library();
        match crypto::verify(self.signature, self.message.as_bytes(), key.decoding(), algorithm) {
            Ok(true) => self.unverified_claims(),
            Ok(false) | Err(_) => Err(InvalidJws::Signature),
        }
    }
}

impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jws(..)")
    }
}

#[cfg(test)]
mod tests;
