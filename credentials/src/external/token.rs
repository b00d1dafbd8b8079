//! A token of another issuer, before anything of it is believed.

use super::{ExternalRejected, LIMITS};
use crate::jws::{Jws, SignatureAlgorithm};

/// Longest name of a key, in bytes.
const MAX_KEY_NAME: usize = 255;

/// A token taken apart, with what tells whose it is and which key has signed it. Not believed; see
/// [`ExternalIssuer::verify`](super::ExternalIssuer::verify).
#[derive(Debug)]
pub struct ExternalToken<'t> {
    pub(super) jws: Jws<'t>,
    issuer: String,
}

impl<'t> ExternalToken<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`ExternalRejected::Invalid`] for what is no [`Jws`], names no issuer, or has a `typ`, `alg` or `kid` that is not accepted.
    pub fn parse(token: &'t str) -> Result<Self, ExternalRejected> {
        let jws = Jws::parse(token, LIMITS)?;
        let header = jws.header();
        match header.get("typ").map(|typ| typ.as_str()) {
            None => {}
            Some(Some(typ)) if ["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)) => {}
            Some(_) => return Err(ExternalRejected::Invalid("typ")),
        }
        let algorithms = [SignatureAlgorithm::EdDsa, SignatureAlgorithm::Es256, SignatureAlgorithm::Rs256];
        if algorithms.iter().all(|algorithm| header.text("alg") != Some(algorithm.name())) {
            return Err(ExternalRejected::Invalid("alg"));
        }
        match header.get("kid").map(|kid| kid.as_str()) {
            None => {}
            Some(Some(kid)) if kid.len() <= MAX_KEY_NAME => {}
            Some(_) => return Err(ExternalRejected::Invalid("kid")),
        }
        let issuer = jws.unverified_claims()?.text("iss").ok_or(ExternalRejected::Invalid("iss"))?.to_owned();
        Ok(Self { jws, issuer })
    }

    /// Whom it claims to come from.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The name of the key that it claims to be signed with, if it names one.
    pub fn key_name(&self) -> Option<&str> {
        self.jws.header().text("kid")
    }
}
