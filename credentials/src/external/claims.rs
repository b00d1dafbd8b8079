//! What a token of another issuer says of its bearer.

use time::OffsetDateTime;

use super::ExternalRejected;
use crate::jws::{Object, Times, moment};

/// Longest subject, in bytes (`OpenID` Connect Core 1.0 §2).
const MAX_SUBJECT_LENGTH: usize = 255;

/// What a token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalClaims {
    /// The `iss` claim: the issuer that vouches for the bearer.
    pub issuer: String,
    /// For whom, in the issuer's words.
    pub subject: String,
    /// The `exp` claim: the token does not hold from this moment on.
    pub expires_at: OffsetDateTime,
    /// The `email` claim. Its form is not checked. `None` if the token has no such text.
    pub email: Option<String>,
    /// Whether the issuer has seen that the address is theirs.
    pub email_verified: bool,
    /// The `name` claim. Its form is not checked. `None` if the token has no such text.
    pub name: Option<String>,
    /// The `preferred_username` claim. Its form is not checked. `None` if the token has no such text.
    pub username: Option<String>,
    /// The `picture` claim: the address of a picture. Its form is not checked. `None` if the token has no such text.
    pub picture: Option<String>,
}

impl ExternalClaims {
    /// Reads claims whose signature was found right.
    pub(super) fn read(object: &Object, issuer: &str) -> Result<(Self, Times), ExternalRejected> {
        let subject = object.text("sub").ok_or(ExternalRejected::Invalid("sub"))?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_LENGTH || subject.chars().any(char::is_control) {
            return Err(ExternalRejected::Invalid("sub"));
        }
        let at = |name| {
            let claim = object.get(name).map(|claim| moment(claim).ok_or(ExternalRejected::Invalid(name)));
            claim.transpose()
        };
        let expires_at = at("exp")?.ok_or(ExternalRejected::Invalid("exp"))?;
        let times = Times { issued_at: at("iat")?, not_before: at("nbf")?, expires_at };
        let text = |name| object.text(name).map(str::to_owned);
        let claims = Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            expires_at,
            email: text("email"),
            email_verified: object.get("email_verified").is_some_and(|verified| *verified == true),
            name: text("name"),
            username: text("preferred_username"),
            picture: text("picture"),
        };
        Ok((claims, times))
    }
}
