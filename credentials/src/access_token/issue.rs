//! Making access tokens.

use std::fmt;

use aws_lc_rs::rand;
use jsonwebtoken::{Algorithm, Header};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AccessTokenConfig, InvalidConfig, TYP};
use crate::signing_key::SharedKeyRing;

/// Why no token could be made: the machine broke.
#[derive(Debug, thiserror::Error)]
pub enum IssueFailed {
    /// The random generator failed, or `now` is no time a token can name.
    #[error("no identifier for an access token could be made")]
    Identifier,
    /// The signing key could not be used.
    #[error("an access token could not be signed")]
    Signature(#[source] jsonwebtoken::errors::Error),
}

/// A token made for a client. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedAccessToken {
    /// The token itself. Secret.
    pub token: String,
    /// When it ends: its `exp`.
    pub expires_at: OffsetDateTime,
    /// For how long it is good, in seconds: OAuth's `expires_in`.
    pub expires_in: u64,
}

impl fmt::Debug for IssuedAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedAccessToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The claims as they go over the wire.
#[derive(Serialize)]
struct WireClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: Uuid,
    sid: Uuid,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: Uuid,
}

/// Makes access tokens with the current key of the ring.
#[derive(Debug, Clone)]
pub struct AccessTokenIssuer {
    config: AccessTokenConfig,
    keys: SharedKeyRing,
}

impl AccessTokenIssuer {
    /// An issuer for that configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`], for a configuration whose tokens the verifier would refuse.
    pub fn new(config: AccessTokenConfig, keys: SharedKeyRing) -> Result<Self, InvalidConfig> {
        config.check()?;
        Ok(Self { config, keys })
    }

    /// Makes a token for that account's session, good from `now`.
    pub fn issue(&self, account: Uuid, session: Uuid, now: OffsetDateTime) -> Result<IssuedAccessToken, IssueFailed> {
        let ring = self.keys.load();
        let key = ring.current();
        let expires_in = self.config.lifetime.as_secs();
        let iat = now.unix_timestamp();
        let exp = iat.saturating_add_unsigned(expires_in);
        let claims = WireClaims {
            iss: &self.config.issuer,
            aud: &self.config.audience,
            sub: account,
            sid: session,
            exp,
            nbf: iat,
            iat,
            jti: token_id(now)?,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(key.kid().to_owned());
        let token = jsonwebtoken::encode(&header, &claims, key.encoding()).map_err(IssueFailed::Signature)?;
        let expires_at = OffsetDateTime::from_unix_timestamp(exp).map_err(|_| IssueFailed::Identifier)?;
        Ok(IssuedAccessToken { token, expires_at, expires_in })
    }
}

/// A `UUIDv7` (RFC 9562) of the given time, which `Uuid::now_v7` would not take.
fn token_id(now: OffsetDateTime) -> Result<Uuid, IssueFailed> {
    let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).map_err(|_| IssueFailed::Identifier)?;
    let mut random = [0; 10];
    rand::fill(&mut random).map_err(|_| IssueFailed::Identifier)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
