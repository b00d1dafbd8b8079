//! The claims of access tokens (RFC 9068 §2.2), and `sid`, the session.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AccessTokenConfig, InvalidToken, MAX_LIFETIME};
use crate::jws::{Object, Times, moment};

/// What a verified token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the account.
    pub account: Uuid,
    /// `sid`: the session; the caller must check that it was not revoked.
    pub session: Uuid,
    /// The key that signed it; see [`key_id`].
    pub key: Uuid,
    /// `jti`: this token.
    pub token_id: Uuid,
    /// `iat`, to the second.
    pub issued_at: OffsetDateTime,
    /// `nbf`, to the second.
    pub not_before: OffsetDateTime,
    /// `exp`, to the second.
    pub expires_at: OffsetDateTime,
}

impl Claims {
    /// Reads claims whose signature was found right, by the key of that id.
    pub(super) fn read(object: &Object, config: &AccessTokenConfig, key: Uuid) -> Result<Self, InvalidToken> {
        let issuer = required(object, "iss")?.as_str().ok_or(InvalidToken::ClaimForm("iss"))?;
        if issuer != config.issuer {
            return Err(InvalidToken::Issuer);
        }
        let audience = match required(object, "aud")? {
            Value::String(audience) => audience,
            Value::Array(several) => match several.as_slice() {
                [Value::String(audience)] => audience,
                _ => return Err(InvalidToken::Audience),
            },
            _ => return Err(InvalidToken::ClaimForm("aud")),
        };
        if *audience != config.audience {
            return Err(InvalidToken::Audience);
        }
        let claims = Self {
            account: uuid(object, "sub")?,
            session: uuid(object, "sid")?,
            key,
            token_id: uuid(object, "jti")?,
            issued_at: instant(object, "iat")?,
            not_before: instant(object, "nbf")?,
            expires_at: instant(object, "exp")?,
        };
        let starts_before_it_ends = claims.issued_at.max(claims.not_before) < claims.expires_at;
        if !starts_before_it_ends || claims.expires_at - claims.issued_at > MAX_LIFETIME {
            return Err(InvalidToken::Lifetime);
        }
        Ok(claims)
    }

    pub(super) fn times(&self) -> Times {
        Times { issued_at: Some(self.issued_at), not_before: Some(self.not_before), expires_at: self.expires_at }
    }
}

fn required<'a>(object: &'a Object, name: &'static str) -> Result<&'a Value, InvalidToken> {
    match object.get(name) {
        None | Some(Value::Null) => Err(InvalidToken::MissingClaim(name)),
        Some(value) => Ok(value),
    }
}

/// A UUID in the one spelling we write: 36 characters, lower case.
fn uuid(object: &Object, name: &'static str) -> Result<Uuid, InvalidToken> {
    let text = required(object, name)?.as_str().ok_or(InvalidToken::ClaimForm(name))?;
    let uuid = Uuid::try_parse(text).map_err(|_| InvalidToken::ClaimForm(name))?;
    if uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text {
        Ok(uuid)
    } else {
        Err(InvalidToken::ClaimForm(name))
    }
}

fn instant(object: &Object, name: &'static str) -> Result<OffsetDateTime, InvalidToken> {
    moment(required(object, name)?).ok_or(InvalidToken::ClaimForm(name))
}
