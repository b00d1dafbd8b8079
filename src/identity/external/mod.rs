//! Bearer tokens of other issuers (`OpenID` Connect Core 1.0, RFC 7519): checked as strictly as our own.
//!
//! RS256, ES256 and EdDSA, as the key in the issuer's JWKS allows; `iss`, `sub`, `exp` required; `aud`, or where a token
//! has none `azp`, must be one that is configured. Whatever names a key of the sender's choice is passed over, `crit` is
//! refused. Keys come from [`jwks`].

mod jwks;

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::crypto;
use jwks::{Fetched, Jwks, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_LENGTH: usize = 8192;
/// How far clocks may disagree, in seconds.
const LEEWAY: i64 = 5;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;
/// Checked tokens that are remembered.
const CACHE_CAPACITY: u64 = 10_000;

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
    /// The longest life of a token that is accepted, in seconds: from `iat` or `nbf`, else from now, to `exp`.
    #[serde(default = "day")]
    pub max_token_seconds: u32,
}

fn day() -> u32 {
    24 * 3600
}

/// What a token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalClaims {
    /// Who vouches.
    pub issuer: String,
    /// For whom, in the issuer's words.
    pub subject: String,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether the issuer has seen that the address is theirs.
    pub email_verified: bool,
    /// Full name.
    pub name: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Picture.
    pub picture: Option<String>,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalRejected {
    /// It has ended, and is right in everything else.
    #[error("the token has expired")]
    Expired,
    /// It is not right.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// The issuer's keys cannot be had.
    #[error("the keys of the issuer cannot be fetched")]
    Unavailable,
}

use ExternalRejected::Invalid;

struct Issuer {
    issuer: String,
    audience: Vec<String>,
    jwks: Jwks,
    max_token_seconds: u32,
}

/// The issuers whose tokens are accepted. Cheap to clone.
#[derive(Clone)]
pub struct ExternalIssuers {
    issuers: Arc<[Issuer]>,
    verified: moka::sync::Cache<[u8; 32], (ExternalClaims, i64)>,
}

impl ExternalIssuers {
    /// As configured. Keys are fetched when the first token comes.
    ///
    /// # Errors
    /// A configuration that does not hold.
    pub fn new(configs: &[ExternalIssuerConfig]) -> anyhow::Result<Self> {
        let issuers: anyhow::Result<Vec<_>> = configs.iter().map(issuer).collect();
        let verified = moka::sync::Cache::builder()
            .max_capacity(CACHE_CAPACITY)
            // A key that its issuer withdraws is noticed so late at most.
            .time_to_live(std::time::Duration::from_mins(5))
            .build();
        Ok(Self { issuers: issuers?.into(), verified })
    }

    /// Whether a token says that it comes from one of them. Believes nothing yet.
    pub fn recognizes(&self, token: &str) -> bool {
        !self.issuers.is_empty() && self.issuer_of(token).is_some()
    }

    fn issuer_of(&self, token: &str) -> Option<&Issuer> {
        if token.len() > MAX_TOKEN_LENGTH {
            return None;
        }
        let payload = token.split('.').nth(1)?;
        let claims = object(payload)?;
        let issuer = claims.get("iss")?.as_str()?;
        self.issuers.iter().find(|known| known.issuer == issuer)
    }

    /// Checks a token.
    ///
    /// # Errors
    /// [`ExternalRejected`].
    pub async fn verify(&self, token: &str, now: OffsetDateTime) -> Result<ExternalClaims, ExternalRejected> {
        let issuer = self.issuer_of(token).ok_or(Invalid("unknown issuer"))?;
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some((claims, not_before)) = self.verified.get(&name) {
            return issuer.timely(claims, not_before, now);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Invalid("not three parts"))?;
        let (header, payload) = message.split_once('.').ok_or(Invalid("not three parts"))?;
        if payload.contains('.') {
            return Err(Invalid("not three parts"));
        }
        let header = object(header).ok_or(Invalid("header"))?;
        if header.contains_key("crit") {
            return Err(Invalid("crit"));
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(typ)) if ["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)) => {}
            Some(_) => return Err(Invalid("typ")),
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Invalid("alg"))?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= 255 => Some(kid.as_str()),
            Some(_) => return Err(Invalid("kid")),
        };
        let key = match issuer.jwks.key(kid).await {
            Fetched::Key(key) => key,
            Fetched::Unknown => return Err(Invalid("unknown key")),
            Fetched::Unavailable => return Err(ExternalRejected::Unavailable),
        };
        // The key says what it signs with; the token may only agree.
        if key.name() != algorithm {
            return Err(Invalid("alg"));
        }
        match crypto::verify(signature, message.as_bytes(), &key.decoding, key.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(Invalid("signature")),
        }
        let checked = claims(&object(payload).ok_or(Invalid("claims"))?, issuer)?;
        let (claims, not_before) = checked.clone();
        let timely = issuer.timely(claims, not_before, now)?;
        self.verified.insert(name, checked);
        Ok(timely)
    }
}

fn issuer(config: &ExternalIssuerConfig) -> anyhow::Result<Issuer> {
    let ExternalIssuerConfig { issuer, audience, jwks_url, jwks_file, max_token_seconds } = config;
    anyhow::ensure!(!issuer.is_empty(), "an external issuer has no name");
    anyhow::ensure!(!audience.is_empty(), "the external issuer {issuer} has no audience");
    let source = match (jwks_url, jwks_file) {
        (Some(address), None) => {
            let url = url::Url::parse(address)?;
            let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
            anyhow::ensure!(
                url.scheme() == "https" || (url.scheme() == "http" && is_local),
                "the keys of {issuer} must be fetched over https"
            );
            Source::Url(url)
        }
        (None, Some(file)) => Source::File(file.clone()),
        _ => anyhow::bail!("the external issuer {issuer} needs either jwks_url or jwks_file"),
    };
    Ok(Issuer {
        issuer: issuer.clone(),
        audience: audience.clone(),
        jwks: Jwks::new(source)?,
        max_token_seconds: *max_token_seconds,
    })
}

/// A base64url-encoded JSON object.
fn object(encoded: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

fn claims(object: &Map<String, Value>, issuer: &Issuer) -> Result<(ExternalClaims, i64), ExternalRejected> {
    let meant_for =
        |party: &Value| party.as_str().is_some_and(|party| issuer.audience.iter().any(|ours| ours == party));
    let is_for_us = match object.get("aud") {
        Some(Value::Array(several)) => several.iter().any(meant_for),
        Some(one) => meant_for(one),
        None => object.get("azp").is_some_and(meant_for),
    };
    if !is_for_us {
        return Err(Invalid("aud"));
    }
    let subject = object.get("sub").and_then(Value::as_str).ok_or(Invalid("sub"))?;
    if subject.is_empty() || subject.len() > 255 || subject.chars().any(char::is_control) {
        return Err(Invalid("sub"));
    }
    let instant = |name, value: &Value| value.as_i64().filter(|at| (0..=LAST_SECOND).contains(at)).ok_or(Invalid(name));
    let expires_at = instant("exp", object.get("exp").ok_or(Invalid("exp"))?)?;
    let not_before = object.get("nbf").map(|value| instant("nbf", value)).transpose()?.unwrap_or(0);
    let issued_at = object.get("iat").map(|value| instant("iat", value)).transpose()?.unwrap_or(0);
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let claims = ExternalClaims {
        issuer: issuer.issuer.clone(),
        subject: subject.to_owned(),
        expires_at: OffsetDateTime::from_unix_timestamp(expires_at).map_err(|_| Invalid("exp"))?,
        email: text("email"),
        email_verified: object.get("email_verified") == Some(&Value::Bool(true)),
        name: text("name"),
        username: text("preferred_username"),
        picture: text("picture"),
    };
    Ok((claims, not_before.max(issued_at)))
}

impl Issuer {
    fn timely(
        &self,
        claims: ExternalClaims,
        not_before: i64,
        now: OffsetDateTime,
    ) -> Result<ExternalClaims, ExternalRejected> {
        let (now, until) = (now.unix_timestamp(), claims.expires_at.unix_timestamp());
        if not_before > now + LEEWAY {
            return Err(Invalid("nbf"));
        }
        let since = if not_before == 0 { now } else { not_before };
        if until - since > i64::from(self.max_token_seconds) {
            return Err(Invalid("it holds too long"));
        }
        if until + LEEWAY <= now {
            return Err(ExternalRejected::Expired);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests;
