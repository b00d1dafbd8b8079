//! An issuer whose tokens are accepted, and under which conditions.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::{ExternalClaims, ExternalRejected, ExternalToken};
use crate::jws::{Object, Times, Untimely, VerifyingKey};

/// How far clocks may disagree.
const LEEWAY: Duration = Duration::from_secs(5);

/// The conditions that an issuer's tokens must meet.
#[derive(Clone, Debug)]
pub struct ExternalIssuer {
    /// `iss` of its tokens, exactly.
    pub name: String,
    /// `aud` (or `azp`) of tokens that are meant for this service: one of these.
    pub audience: Vec<String>,
    /// The longest life of a token: from `iat`, else `nbf`, else now, to `exp`.
    pub max_lifetime: Duration,
}

/// A token that is right in all but, perhaps, its times: those are compared with the present at each use.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    claims: ExternalClaims,
    times: Times,
}

impl ExternalIssuer {
    /// Checks a token that says it is from this issuer, with the key that it names.
    ///
    /// # Errors
    /// [`ExternalRejected::Invalid`].
    pub fn verify(&self, token: &ExternalToken<'_>, key: &VerifyingKey) -> Result<VerifiedToken, ExternalRejected> {
        let object = token.jws.verify(key)?;
        if object.text("iss") != Some(&self.name) {
            return Err(ExternalRejected::Invalid("iss"));
        }
        if !self.is_meant_for_us(&object) {
            return Err(ExternalRejected::Invalid("aud"));
        }
        let (claims, times) = ExternalClaims::read(&object, &self.name)?;
        Ok(VerifiedToken { claims, times })
    }

    /// What a verified token says, if it holds at `now`.
    ///
    /// # Errors
    /// [`ExternalRejected`]; [`ExternalRejected::Expired`] only for a token that was right in everything else.
    pub fn claims_at(&self, token: VerifiedToken, now: OffsetDateTime) -> Result<ExternalClaims, ExternalRejected> {
        match token.times.check(now, LEEWAY, self.max_lifetime) {
            Ok(()) => Ok(token.claims),
            Err(Untimely::NotYet) => Err(ExternalRejected::Invalid("nbf")),
            Err(Untimely::TooLong) => Err(ExternalRejected::Invalid("it holds too long")),
            Err(Untimely::Expired) => Err(ExternalRejected::Expired),
        }
    }

    fn is_meant_for_us(&self, claims: &Object) -> bool {
        let is_us = |party: &Value| party.as_str().is_some_and(|party| self.audience.iter().any(|ours| ours == party));
        match claims.get("aud") {
            Some(Value::Array(several)) => several.iter().any(is_us),
            Some(one) => is_us(one),
            None => claims.get("azp").is_some_and(is_us),
        }
    }
}
