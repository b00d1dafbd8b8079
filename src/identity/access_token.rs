//! Access tokens: JWTs in the profile of RFC 9068, signed with EdDSA (RFC 8037), good for a quarter of an hour.
//!
//! The verifier follows RFC 8725: it knows one algorithm, one `typ`, one issuer and one audience, and refuses what it
//! does not know. `jsonwebtoken` makes and checks the signatures and nothing else: its own validation lets tokens without
//! `aud`, `iss` or `nbf` pass, ignores `typ` and `crit`, takes fractional times, adds a minute of leeway and reads the
//! clock itself. Header and claims are therefore read here, strictly, from JSON objects without repeated keys, and the
//! claims only after the signature was found right.
//!
//! A checked token is remembered under SHA-256(key ring generation ‖ token). Only what cannot change is remembered; its
//! times are compared with `now` on every call. A key that leaves the ring changes the generation, and so the name of
//! every entry. Whether the session was revoked is not decided here.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, crypto};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::signing_key::{Generation, KeyRing, SharedKeyRing, key_id};

/// Longest token that is looked at, in bytes. Ours have about 500.
pub const MAX_TOKEN_LENGTH: usize = 4096;

/// Longest life of a token that is accepted or may be configured, from `iat` to `exp`.
pub const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// Most that instances' clocks may be configured to disagree.
pub const MAX_LEEWAY: Duration = Duration::from_secs(5);

/// How many checked tokens are remembered.
const CACHE_CAPACITY: u64 = 10_000;

/// The `typ` of RFC 9068 §2.1; a verifier must know both spellings.
const TYP: &str = "at+jwt";
const LONG_TYP: &str = "application/at+jwt";

/// 9999-12-31T23:59:59Z: the last second a four-digit year can name.
const LAST_SECOND: i64 = 253_402_300_799;

/// How tokens are made and checked. The same on every instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenConfig {
    /// `iss`: this service's public URL.
    pub issuer: String,
    /// `aud`: the one audience this service issues for and answers to.
    pub audience: String,
    /// How long a token is good for, whole seconds; 15 minutes unless configured.
    pub lifetime: Duration,
    /// How far clocks may disagree, whole seconds, 0 to 5.
    pub leeway: Duration,
}

impl AccessTokenConfig {
    /// Fifteen minutes of life and five seconds of leeway.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), lifetime: Duration::from_mins(15), leeway: MAX_LEEWAY }
    }

    fn check(&self) -> Result<(), InvalidConfig> {
        if self.issuer.is_empty() || self.audience.is_empty() {
            return Err(InvalidConfig::Unnamed);
        }
        if self.lifetime.as_secs() == 0 || self.lifetime > MAX_LIFETIME || self.lifetime.subsec_nanos() != 0 {
            return Err(InvalidConfig::Lifetime);
        }
        if self.leeway > MAX_LEEWAY || self.leeway.subsec_nanos() != 0 {
            return Err(InvalidConfig::Leeway);
        }
        Ok(())
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// `iss` or `aud` is empty.
    #[error("the issuer and the audience of access tokens must not be empty")]
    Unnamed,
    /// The lifetime is zero, over [`MAX_LIFETIME`], or no whole number of seconds.
    #[error("access tokens must live for 1 to 3600 whole seconds")]
    Lifetime,
    /// The leeway is over [`MAX_LEEWAY`], or no whole number of seconds.
    #[error("the leeway of access tokens must be 0 to 5 whole seconds")]
    Leeway,
}

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
    ///
    /// # Errors
    /// [`IssueFailed`] when the system's random generator or the key fails.
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

/// Why a token was refused. The detail is for the log; the client sees 401 and whether its token has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejected {
    /// A token of ours in every respect, whose time is over: the client should refresh.
    #[error("the access token has expired")]
    Expired,
    /// Anything else.
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
    /// Over [`MAX_TOKEN_LENGTH`].
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
    /// `exp` is not after `iat` and `nbf`, or more than [`MAX_LIFETIME`] after `iat`.
    #[error("impossible lifetime")]
    Lifetime,
    /// `nbf` or `iat` is in the future.
    #[error("not valid yet")]
    NotYetValid,
}

/// Checks access tokens. Cloning shares the cache.
#[derive(Clone)]
pub struct AccessTokenVerifier {
    config: AccessTokenConfig,
    keys: SharedKeyRing,
    verified: Cache<[u8; 32], Claims>,
}

impl fmt::Debug for AccessTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokenVerifier").field("config", &self.config).finish_non_exhaustive()
    }
}

impl AccessTokenVerifier {
    /// A verifier for that configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`], for the same configurations that the issuer refuses.
    pub fn new(config: AccessTokenConfig, keys: SharedKeyRing) -> Result<Self, InvalidConfig> {
        config.check()?;
        let verified = Cache::builder().max_capacity(CACHE_CAPACITY).eviction_policy(EvictionPolicy::lru()).build();
        Ok(Self { config, keys, verified })
    }

    /// Checks a token at the time `now`. Whether its session still lives is the caller's to ask.
    ///
    /// # Errors
    /// [`TokenRejected::Expired`] only for a token that is right in everything else.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Claims, TokenRejected> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(InvalidToken::TooLong.into());
        }
        let ring = self.keys.load();
        let name = cache_key(ring.generation(), token);
        if let Some(claims) = self.verified.get(&name) {
            return self.check_times(claims, now);
        }
        let claims = self.verify_cold(token, &ring)?;
        let checked = self.check_times(claims, now)?;
        self.verified.insert(name, claims);
        Ok(checked)
    }

    /// Everything that stays true for as long as the ring does.
    fn verify_cold(&self, token: &str, ring: &KeyRing) -> Result<Claims, InvalidToken> {
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken::Parts)?;
        let (header, payload) = message.split_once('.').ok_or(InvalidToken::Parts)?;
        if payload.contains('.') {
            return Err(InvalidToken::Parts);
        }
        let kid = read_header(header)?;
        let key = ring.find(&kid).ok_or(InvalidToken::UnknownKey)?;
        match crypto::verify(signature, message.as_bytes(), key.decoding(), Algorithm::EdDSA) {
            Ok(true) => self.read_claims(payload, key_id(&kid)),
            Ok(false) | Err(_) => Err(InvalidToken::Signature),
        }
    }

    fn read_claims(&self, payload: &str, key: Uuid) -> Result<Claims, InvalidToken> {
        let object = decode(payload).ok_or(InvalidToken::Claims)?;
        let issuer = required(&object, "iss")?.as_str().ok_or(InvalidToken::ClaimForm("iss"))?;
        if issuer != self.config.issuer {
            return Err(InvalidToken::Issuer);
        }
        let audience = match required(&object, "aud")? {
            Value::String(audience) => audience,
            Value::Array(several) => match several.as_slice() {
                [Value::String(audience)] => audience,
                _ => return Err(InvalidToken::Audience),
            },
            _ => return Err(InvalidToken::ClaimForm("aud")),
        };
        if *audience != self.config.audience {
            return Err(InvalidToken::Audience);
        }
        let claims = Claims {
            account: uuid(&object, "sub")?,
            session: uuid(&object, "sid")?,
            key,
            token_id: uuid(&object, "jti")?,
            issued_at: instant(&object, "iat")?,
            not_before: instant(&object, "nbf")?,
            expires_at: instant(&object, "exp")?,
        };
        let starts_before_it_ends = claims.issued_at.max(claims.not_before) < claims.expires_at;
        if !starts_before_it_ends || claims.expires_at - claims.issued_at > MAX_LIFETIME {
            return Err(InvalidToken::Lifetime);
        }
        Ok(claims)
    }

    fn check_times(&self, claims: Claims, now: OffsetDateTime) -> Result<Claims, TokenRejected> {
        // Times are within the years 1970 to 9999 and the leeway within seconds: i128 nanoseconds cannot overflow.
        let leeway = i128::from(self.config.leeway.as_secs()) * 1_000_000_000;
        let now = now.unix_timestamp_nanos();
        if claims.issued_at.max(claims.not_before).unix_timestamp_nanos() > now + leeway {
            return Err(InvalidToken::NotYetValid.into());
        }
        if claims.expires_at.unix_timestamp_nanos() + leeway <= now {
            return Err(TokenRejected::Expired);
        }
        Ok(claims)
    }
}

fn cache_key(generation: &Generation, token: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(generation);
    context.update(token.as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

/// Checks the header and returns its `kid`. Only `alg`, `typ` and `kid` may be there: we write nothing else, and every
/// other parameter either names a key of the sender's choice (`jku`, `jwk`, `x5u`, `x5c`), changes how the token must be
/// read (`crit`, `b64`, `zip`, `enc`), or is unknown.
fn read_header(encoded: &str) -> Result<String, InvalidToken> {
    let mut object = decode(encoded).ok_or(InvalidToken::Header)?.0;
    for (name, _) in &object {
        match name.as_str() {
            "alg" | "typ" | "kid" => {}
            "crit" => return Err(InvalidToken::HeaderParameter("crit")),
            "jku" => return Err(InvalidToken::HeaderParameter("jku")),
            "jwk" => return Err(InvalidToken::HeaderParameter("jwk")),
            "x5u" => return Err(InvalidToken::HeaderParameter("x5u")),
            "x5c" => return Err(InvalidToken::HeaderParameter("x5c")),
            "zip" => return Err(InvalidToken::HeaderParameter("zip")),
            "b64" => return Err(InvalidToken::HeaderParameter("b64")),
            _ => return Err(InvalidToken::HeaderParameter("(unknown)")),
        }
    }
    let mut take = |name: &str| {
        let at = object.iter().position(|(found, _)| found == name)?;
        match object.swap_remove(at).1 {
            Value::String(text) => Some(text),
            _ => None,
        }
    };
    if take("alg").as_deref() != Some("EdDSA") {
        return Err(InvalidToken::Algorithm);
    }
    let typ = take("typ").ok_or(InvalidToken::Type)?;
    if !typ.eq_ignore_ascii_case(TYP) && !typ.eq_ignore_ascii_case(LONG_TYP) {
        return Err(InvalidToken::Type);
    }
    take("kid").ok_or(InvalidToken::UnknownKey)
}

/// A JSON object none of whose keys comes twice: two readers of `{"sub":1,"sub":2}` need not agree (RFC 8725 §2.4).
struct UniqueObject(Vec<(String, Value)>);

impl UniqueObject {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

/// More members than any token of ours; keeps the search for repeated keys short.
const MAX_MEMBERS: usize = 32;

impl<'de> Deserialize<'de> for UniqueObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = UniqueObject;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueObject, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.len() == MAX_MEMBERS || members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a key comes twice, or there are too many"));
                    }
                    members.push((name, value));
                }
                Ok(UniqueObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn decode(part: &str) -> Option<UniqueObject> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

fn required<'a>(object: &'a UniqueObject, name: &'static str) -> Result<&'a Value, InvalidToken> {
    match object.get(name) {
        None | Some(Value::Null) => Err(InvalidToken::MissingClaim(name)),
        Some(value) => Ok(value),
    }
}

/// A UUID in the one spelling we write: 36 characters, lower case.
fn uuid(object: &UniqueObject, name: &'static str) -> Result<Uuid, InvalidToken> {
    let text = required(object, name)?.as_str().ok_or(InvalidToken::ClaimForm(name))?;
    let uuid = Uuid::try_parse(text).map_err(|_| InvalidToken::ClaimForm(name))?;
    if uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text {
        Ok(uuid)
    } else {
        Err(InvalidToken::ClaimForm(name))
    }
}

/// Whole seconds since 1970, as a JSON integer.
fn instant(object: &UniqueObject, name: &'static str) -> Result<OffsetDateTime, InvalidToken> {
    required(object, name)?
        .as_i64()
        .filter(|seconds| (0..=LAST_SECOND).contains(seconds))
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(InvalidToken::ClaimForm(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::signing_key::SigningKey;
    use super::*;
    use aws_lc_rs::hmac;
    use serde_json::json;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
    const ISSUER: &str = "https://workroom.example";
    const AUDIENCE: &str = "workroom";

    struct Fixture {
        key: SigningKey,
        keys: SharedKeyRing,
        issuer: AccessTokenIssuer,
        verifier: AccessTokenVerifier,
        account: Uuid,
        session: Uuid,
    }

    fn fixture() -> Fixture {
        let key = SigningKey::generate().unwrap();
        let keys = SharedKeyRing::new(KeyRing::new(key.clone(), []));
        let config = AccessTokenConfig::new(ISSUER, AUDIENCE);
        Fixture {
            issuer: AccessTokenIssuer::new(config.clone(), keys.clone()).unwrap(),
            verifier: AccessTokenVerifier::new(config, keys.clone()).unwrap(),
            key,
            keys,
            account: Uuid::from_u128(1),
            session: Uuid::from_u128(2),
        }
    }

    impl Fixture {
        fn issue(&self) -> String {
            self.issuer.issue(self.account, self.session, NOW).unwrap().token
        }

        fn verify(&self, token: &str) -> Result<Claims, TokenRejected> {
            self.verifier.verify(token, NOW)
        }

        fn refusal(&self, token: &str) -> InvalidToken {
            match self.verify(token) {
                Err(TokenRejected::Invalid(reason)) => reason,
                other => panic!("{other:?}"),
            }
        }

        fn header(&self) -> Value {
            json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.kid()})
        }

        fn claims(&self) -> Value {
            let iat = NOW.unix_timestamp();
            json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": self.account, "sid": self.session,
                "jti": Uuid::from_u128(3), "iat": iat, "nbf": iat, "exp": iat + 900,
            })
        }

        /// Signs any text, as only a holder of the private key could.
        fn sign_text(&self, header: &str, claims: &str) -> String {
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature = crypto::sign(message.as_bytes(), self.key.encoding(), Algorithm::EdDSA).unwrap();
            format!("{message}.{signature}")
        }

        fn with_header(&self, name: &str, value: Value) -> String {
            let mut header = self.header();
            header[name] = value;
            self.sign_text(&header.to_string(), &self.claims().to_string())
        }

        fn without_header(&self, name: &str) -> String {
            let mut header = self.header();
            header.as_object_mut().unwrap().remove(name).unwrap();
            self.sign_text(&header.to_string(), &self.claims().to_string())
        }

        fn with_claim(&self, name: &str, value: Value) -> String {
            let mut claims = self.claims();
            claims[name] = value;
            self.sign_text(&self.header().to_string(), &claims.to_string())
        }

        fn without_claim(&self, name: &str) -> String {
            let mut claims = self.claims();
            claims.as_object_mut().unwrap().remove(name).unwrap();
            self.sign_text(&self.header().to_string(), &claims.to_string())
        }
    }

    fn seconds(count: i64) -> time::Duration {
        time::Duration::seconds(count)
    }

    #[test]
    fn an_issued_token_is_accepted_and_says_whose_it_is() {
        let f = fixture();
        let now = NOW + time::Duration::milliseconds(250);
        let issued = f.issuer.issue(f.account, f.session, now).unwrap();
        let claims = f.verifier.verify(&issued.token, now).unwrap();
        assert_eq!((claims.account, claims.session), (f.account, f.session));
        assert_eq!((claims.issued_at, claims.not_before), (NOW, NOW));
        assert_eq!(claims.expires_at, NOW + seconds(900));
        assert_eq!((issued.expires_at, issued.expires_in), (claims.expires_at, 900));
        assert_eq!(claims.token_id.get_version_num(), 7);
        assert!(issued.token.len() < 700, "{}", issued.token.len());
    }

    #[test]
    fn an_issued_token_has_exactly_the_documented_header_and_claims() {
        let f = fixture();
        let token = f.issue();
        let parts: Vec<Value> = token
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], f.header());
        let mut expected = f.claims();
        expected["jti"] = parts[1]["jti"].clone();
        assert_eq!(parts[1], expected);
    }

    #[test]
    fn two_tokens_of_one_moment_differ() {
        let f = fixture();
        assert_ne!(f.issue(), f.issue());
    }

    #[test]
    fn the_handmade_token_of_these_tests_is_accepted() {
        let f = fixture();
        f.verify(&f.sign_text(&f.header().to_string(), &f.claims().to_string())).unwrap();
        f.verify(&f.with_claim("scope", json!("a claim nobody knows"))).unwrap();
    }

    #[test]
    fn every_spelling_of_the_type_is_accepted() {
        let f = fixture();
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            f.verify(&f.with_header("typ", json!(typ))).unwrap();
        }
    }

    #[test]
    fn other_types_are_refused() {
        let f = fixture();
        for typ in ["JWT", "", "jwt", "rt+jwt", "at+jwt ", "text/at+jwt", "dpop+jwt", "logout+jwt"] {
            assert_eq!(f.refusal(&f.with_header("typ", json!(typ))), InvalidToken::Type, "{typ}");
        }
        assert_eq!(f.refusal(&f.without_header("typ")), InvalidToken::Type);
        assert_eq!(f.refusal(&f.with_header("typ", json!(["at+jwt"]))), InvalidToken::Type);
    }

    #[test]
    fn other_algorithms_are_refused() {
        let f = fixture();
        for alg in ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "ES256", "PS256", "eddsa", "Ed25519"] {
            assert_eq!(f.refusal(&f.with_header("alg", json!(alg))), InvalidToken::Algorithm, "{alg}");
        }
        assert_eq!(f.refusal(&f.without_header("alg")), InvalidToken::Algorithm);
        assert_eq!(f.refusal(&f.with_header("alg", json!(null))), InvalidToken::Algorithm);
        assert_eq!(f.refusal(&f.with_header("alg", json!(["EdDSA"]))), InvalidToken::Algorithm);
    }

    #[test]
    fn alg_none_without_a_signature_is_refused() {
        let f = fixture();
        let header = json!({"alg": "none", "typ": "at+jwt", "kid": f.key.kid()}).to_string();
        let message = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(f.claims().to_string()));
        assert_eq!(f.refusal(&message), InvalidToken::Algorithm);
        let token = f.issue();
        let unsigned = &token[..=token.rfind('.').unwrap()];
        assert_eq!(f.refusal(unsigned), InvalidToken::Signature);
    }

    #[test]
    fn hs256_with_the_public_key_as_secret_is_refused() {
        let f = fixture();
        let public = f.key.verification_key().public_key();
        let jwk = serde_json::to_vec(&f.key.verification_key().jwk()).unwrap();
        for secret in [&public[..], URL_SAFE_NO_PAD.encode(public).as_bytes(), &jwk] {
            for alg in ["HS256", "EdDSA"] {
                let header = json!({"alg": alg, "typ": "at+jwt", "kid": f.key.kid()}).to_string();
                let message =
                    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(f.claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
                let reason = f.refusal(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag)));
                assert!(matches!(reason, InvalidToken::Algorithm | InvalidToken::Signature));
            }
        }
    }

    #[test]
    fn a_key_brought_along_is_refused() {
        let f = fixture();
        let stranger = fixture();
        let jwk = serde_json::to_value(stranger.key.verification_key().jwk()).unwrap();
        for (name, value) in [
            ("jwk", jwk),
            ("jku", json!("https://evil.example/jwks.json")),
            ("x5u", json!("https://evil.example/cert.pem")),
            ("x5c", json!(["MIIB"])),
        ] {
            for signer in [&f, &stranger] {
                let reason = f.refusal(&signer.with_header(name, value.clone()));
                assert_eq!(reason, InvalidToken::HeaderParameter(name));
            }
        }
    }

    #[test]
    fn parameters_that_change_how_a_token_is_read_are_refused() {
        let f = fixture();
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!(null)),
            ("crit", json!(["https://example.com/unknown"])),
            ("zip", json!("DEF")),
            ("b64", json!(false)),
        ] {
            assert_eq!(f.refusal(&f.with_header(name, value)), InvalidToken::HeaderParameter(name));
        }
        let unknown = f.with_header("surprise", json!(1));
        assert_eq!(f.refusal(&unknown), InvalidToken::HeaderParameter("(unknown)"));
    }

    #[test]
    fn an_unknown_or_hostile_kid_is_refused() {
        let f = fixture();
        let stranger = SigningKey::generate().unwrap();
        for kid in ["", "../../dev/null", "' OR 1=1 --", "\0", stranger.kid(), &f.key.kid().to_lowercase()] {
            assert_eq!(f.refusal(&f.with_header("kid", json!(kid))), InvalidToken::UnknownKey, "{kid}");
        }
        assert_eq!(f.refusal(&f.without_header("kid")), InvalidToken::UnknownKey);
        assert_eq!(f.refusal(&f.with_header("kid", json!(1))), InvalidToken::UnknownKey);
    }

    #[test]
    fn another_key_under_our_kid_is_refused() {
        let f = fixture();
        let mut stranger = fixture();
        let token = stranger.sign_text(&f.header().to_string(), &f.claims().to_string());
        assert_eq!(f.refusal(&token), InvalidToken::Signature);
        stranger.account = f.account;
        assert_eq!(f.refusal(&stranger.issue()), InvalidToken::UnknownKey);
    }

    #[test]
    fn required_claims_are_required() {
        let f = fixture();
        for name in ["exp", "nbf", "iat", "iss", "aud", "sub", "sid", "jti"] {
            assert_eq!(f.refusal(&f.without_claim(name)), InvalidToken::MissingClaim(name));
            assert_eq!(f.refusal(&f.with_claim(name, json!(null))), InvalidToken::MissingClaim(name));
        }
    }

    #[test]
    fn times_are_whole_numbers_within_bounds() {
        let f = fixture();
        for name in ["exp", "nbf", "iat"] {
            for value in [
                json!("1795176900"),
                json!(1_795_176_900.0),
                json!(1_795_176_900.5),
                json!(1e300),
                json!(-1),
                json!(i64::MAX),
                json!(u64::MAX),
                json!(LAST_SECOND + 1),
                json!(true),
                json!([1_795_176_900]),
                json!({}),
            ] {
                let reason = f.refusal(&f.with_claim(name, value.clone()));
                assert_eq!(reason, InvalidToken::ClaimForm(name), "{name} {value}");
            }
        }
    }

    #[test]
    fn numbers_beyond_any_type_are_refused() {
        let f = fixture();
        for number in ["1e400", "99999999999999999999999999", "0x7fffffff", "NaN", "Infinity", "01"] {
            let claims = f.claims().to_string().replace(&(NOW.unix_timestamp() + 900).to_string(), number);
            let reason = f.refusal(&f.sign_text(&f.header().to_string(), &claims));
            assert!(matches!(reason, InvalidToken::Claims | InvalidToken::ClaimForm("exp")), "{number} {reason:?}");
        }
    }

    #[test]
    fn a_life_that_is_too_long_or_turned_around_is_refused() {
        let f = fixture();
        let now = NOW.unix_timestamp();
        f.verify(&f.with_claim("exp", json!(now + 3600))).unwrap();
        assert_eq!(f.refusal(&f.with_claim("exp", json!(now + 3601))), InvalidToken::Lifetime);
        assert_eq!(f.refusal(&f.with_claim("exp", json!(LAST_SECOND))), InvalidToken::Lifetime);
        assert_eq!(f.refusal(&f.with_claim("exp", json!(now))), InvalidToken::Lifetime);
        assert_eq!(f.refusal(&f.with_claim("exp", json!(0))), InvalidToken::Lifetime);
        assert_eq!(f.refusal(&f.with_claim("nbf", json!(now + 900))), InvalidToken::Lifetime);
        assert_eq!(f.refusal(&f.with_claim("iat", json!(0))), InvalidToken::Lifetime);
    }

    #[test]
    fn the_issuer_is_exactly_ours() {
        let f = fixture();
        for issuer in ["", "https://workroom.example/", "HTTPS://WORKROOM.EXAMPLE", "https://evil.example"] {
            assert_eq!(f.refusal(&f.with_claim("iss", json!(issuer))), InvalidToken::Issuer);
        }
        assert_eq!(f.refusal(&f.with_claim("iss", json!([ISSUER]))), InvalidToken::ClaimForm("iss"));
    }

    #[test]
    fn the_audience_is_exactly_ours() {
        let f = fixture();
        f.verify(&f.with_claim("aud", json!([AUDIENCE]))).unwrap();
        for audience in
            [json!(""), json!("Workroom"), json!([]), json!(["other"]), json!([AUDIENCE, "other"]), json!([1])]
        {
            assert_eq!(f.refusal(&f.with_claim("aud", audience.clone())), InvalidToken::Audience, "{audience}");
        }
        assert_eq!(f.refusal(&f.with_claim("aud", json!(1))), InvalidToken::ClaimForm("aud"));
    }

    #[test]
    fn identifiers_are_uuids_in_one_spelling() {
        let f = fixture();
        let id = "01990000-0000-7000-8000-00000000000a";
        for name in ["sub", "sid", "jti"] {
            f.verify(&f.with_claim(name, json!(id))).unwrap();
            for value in [
                json!(""),
                json!("admin"),
                json!(1),
                json!([id]),
                json!(id.to_uppercase()),
                json!(id.replace('-', "")),
                json!(format!("{{{id}}}")),
                json!(format!("urn:uuid:{id}")),
                json!(format!("{id} ")),
            ] {
                let reason = f.refusal(&f.with_claim(name, value.clone()));
                assert_eq!(reason, InvalidToken::ClaimForm(name), "{name} {value}");
            }
        }
    }

    #[test]
    fn a_token_ends_at_its_exp_and_the_leeway() {
        let f = fixture();
        let token = f.issue();
        let end = NOW + seconds(905);
        let nanosecond = time::Duration::nanoseconds(1);
        // Twice: the first round fills the cache, the second reads it.
        for _ in 0..2 {
            assert!(f.verifier.verify(&token, end - nanosecond).is_ok());
            assert_eq!(f.verifier.verify(&token, end), Err(TokenRejected::Expired));
            assert_eq!(f.verifier.verify(&token, end + time::Duration::days(9999)), Err(TokenRejected::Expired));
        }
    }

    #[test]
    fn a_token_begins_at_its_nbf_and_iat_less_the_leeway() {
        let f = fixture();
        let late = NOW.unix_timestamp() + 100;
        let early = Err(TokenRejected::Invalid(InvalidToken::NotYetValid));
        for token in [f.with_claim("nbf", json!(late)), f.with_claim("iat", json!(late))] {
            for _ in 0..2 {
                assert_eq!(f.verifier.verify(&token, NOW + seconds(94)), early);
                assert!(f.verifier.verify(&token, NOW + seconds(95)).is_ok());
                assert_eq!(f.verifier.verify(&token, OffsetDateTime::UNIX_EPOCH), early);
            }
        }
    }

    #[test]
    fn without_leeway_the_second_counts() {
        let f = fixture();
        let config = AccessTokenConfig { leeway: Duration::ZERO, ..AccessTokenConfig::new(ISSUER, AUDIENCE) };
        let verifier = AccessTokenVerifier::new(config, f.keys.clone()).unwrap();
        let token = f.issue();
        assert!(verifier.verify(&token, NOW).is_ok());
        assert!(verifier.verify(&token, NOW + seconds(899)).is_ok());
        assert_eq!(verifier.verify(&token, NOW + seconds(900)), Err(TokenRejected::Expired));
        assert!(verifier.verify(&token, NOW - seconds(1)).is_err());
    }

    #[test]
    fn only_a_token_of_ours_is_called_expired() {
        let f = fixture();
        let mut token = f.issue();
        let later = NOW + seconds(5000);
        assert_eq!(f.verifier.verify(&token, later), Err(TokenRejected::Expired));
        let at = token.len() - 10;
        let other = if token.as_bytes()[at] == b'-' { "_" } else { "-" };
        token.replace_range(at..=at, other);
        assert_eq!(f.verifier.verify(&token, later), Err(TokenRejected::Invalid(InvalidToken::Signature)));
    }

    #[test]
    fn repeated_keys_are_refused() {
        let f = fixture();
        let (header, claims) = (f.header().to_string(), f.claims().to_string());
        let twice = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
        for member in [r#""sub":"x""#, r#""\u0073ub":"x""#, r#""exp":1"#, r#""a":1,"a":1"#] {
            assert_eq!(f.refusal(&f.sign_text(&header, &twice(&claims, member))), InvalidToken::Claims);
        }
        for member in [r#""alg":"none""#, r#""\u0061lg":"none""#, r#""kid":"x""#] {
            assert_eq!(f.refusal(&f.sign_text(&twice(&header, member), &claims)), InvalidToken::Header);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let f = fixture();
        let (header, claims) = (f.header().to_string(), f.claims().to_string());
        let deep = "[".repeat(2000);
        let wide = format!("{{{}}}", (0..40).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(","));
        for text in ["", "null", "[]", "\"x\"", "1", "{", "{}{}", "{\"a\":}", &deep, &wide] {
            assert_eq!(f.refusal(&f.sign_text(text, &claims)), InvalidToken::Header, "{text}");
            assert_eq!(f.refusal(&f.sign_text(&header, text)), InvalidToken::Claims, "{text}");
        }
        assert_eq!(f.refusal(&f.sign_text("{}", &claims)), InvalidToken::Algorithm);
        assert_eq!(f.refusal(&f.sign_text(&header, "{}")), InvalidToken::MissingClaim("iss"));
    }

    #[test]
    fn a_token_has_three_parts() {
        let f = fixture();
        let token = f.issue();
        for text in ["", ".", "a", "a.b", "....", &format!("{token}.x"), &format!("x.{token}"), &format!("{token}.")] {
            assert_eq!(f.refusal(text), InvalidToken::Parts, "{text}");
        }
        assert_eq!(f.refusal(".."), InvalidToken::Header);
        let encrypted = "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d";
        assert_eq!(f.refusal(encrypted), InvalidToken::Parts);
    }

    #[test]
    fn one_token_has_one_spelling() {
        let f = fixture();
        let token = f.issue();
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        for text in [
            format!("{header}=.{claims}.{signature}"),
            format!("{header}.{claims}=.{signature}"),
            format!("{header}.{claims}.{signature}=="),
            format!("{header}.{claims}.{signature}A"),
            format!("{header}.{claims}.{}", &signature[..85]),
            format!(" {token}"),
            format!("{token} "),
            format!("{token}\n"),
            format!("{header}.{claims}.{}é", &signature[..84]),
        ] {
            assert!(matches!(f.verify(&text), Err(TokenRejected::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn every_bit_flip_is_refused() {
        let f = fixture();
        let token = f.issue();
        for verifier in [&f.verifier, &fixture_with(&f.keys)] {
            for at in 0..token.len() {
                for bit in 0..8 {
                    let mut bytes = token.clone().into_bytes();
                    bytes[at] ^= 1 << bit;
                    let Ok(text) = String::from_utf8(bytes) else { continue };
                    let verdict = verifier.verify(&text, NOW);
                    assert!(matches!(verdict, Err(TokenRejected::Invalid(_))), "bit {bit} of character {at}");
                }
            }
            assert!(verifier.verify(&token, NOW).is_ok());
        }
    }

    fn fixture_with(keys: &SharedKeyRing) -> AccessTokenVerifier {
        AccessTokenVerifier::new(AccessTokenConfig::new(ISSUER, AUDIENCE), keys.clone()).unwrap()
    }

    #[test]
    fn a_long_token_is_refused_unread() {
        let f = fixture();
        let padding = |length| f.with_claim("pad", json!("x".repeat(length)));
        f.verify(&padding(2000)).unwrap();
        let mut at_the_bound = f.issue();
        at_the_bound.push_str(&"A".repeat(MAX_TOKEN_LENGTH - at_the_bound.len()));
        assert_eq!(f.refusal(&at_the_bound), InvalidToken::Signature);
        at_the_bound.push('A');
        assert_eq!(f.refusal(&at_the_bound), InvalidToken::TooLong);
        assert_eq!(f.refusal(&padding(1 << 20)), InvalidToken::TooLong);
        assert_eq!(f.refusal(&".".repeat(1 << 20)), InvalidToken::TooLong);
    }

    #[test]
    fn a_key_that_leaves_the_ring_takes_its_tokens_along() {
        let f = fixture();
        let token = f.issue();
        f.verify(&token).unwrap();
        f.verify(&token).unwrap();
        let next = SigningKey::generate().unwrap();
        let old = f.key.verification_key().clone();
        f.keys.store(KeyRing::new(next.clone(), [old]));
        f.verify(&token).unwrap();
        assert_ne!(f.issue().split('.').next(), token.split('.').next());
        f.keys.store(KeyRing::new(next, []));
        assert_eq!(f.refusal(&token), InvalidToken::UnknownKey);
    }

    #[test]
    fn a_published_next_key_is_accepted_before_this_instance_uses_it() {
        let f = fixture();
        let other = fixture();
        f.keys.store(KeyRing::new(f.key.clone(), [other.key.verification_key().clone()]));
        f.verify(&other.issue()).unwrap();
    }

    #[test]
    fn refusals_are_not_remembered_and_the_cache_is_bounded() {
        let f = fixture();
        for n in 0..50 {
            let _ = f.verify(&format!("{}{n}", f.issue()));
        }
        f.verifier.verified.run_pending_tasks();
        assert_eq!(f.verifier.verified.entry_count(), 0);
        f.verify(&f.issue()).unwrap();
        f.verifier.verified.run_pending_tasks();
        assert_eq!(f.verifier.verified.entry_count(), 1);
        assert_eq!(f.verifier.verified.policy().max_capacity(), Some(10_000));
    }

    #[test]
    fn configurations_that_cannot_work_are_refused() {
        let good = AccessTokenConfig::new(ISSUER, AUDIENCE);
        let refused = |config: AccessTokenConfig| {
            let verifier = AccessTokenVerifier::new(config.clone(), fixture().keys).err();
            assert_eq!(AccessTokenIssuer::new(config, fixture().keys).err(), verifier);
            verifier
        };
        assert_eq!(refused(good.clone()), None);
        for lifetime in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(3601)] {
            assert_eq!(refused(AccessTokenConfig { lifetime, ..good.clone() }), Some(InvalidConfig::Lifetime));
        }
        for leeway in [Duration::from_secs(6), Duration::from_millis(1)] {
            assert_eq!(refused(AccessTokenConfig { leeway, ..good.clone() }), Some(InvalidConfig::Leeway));
        }
        assert_eq!(refused(AccessTokenConfig { issuer: String::new(), ..good.clone() }), Some(InvalidConfig::Unnamed));
        assert_eq!(refused(AccessTokenConfig { audience: String::new(), ..good }), Some(InvalidConfig::Unnamed));
    }

    #[test]
    fn the_token_is_in_no_debug_output() {
        let f = fixture();
        let issued = f.issuer.issue(f.account, f.session, NOW).unwrap();
        assert!(!format!("{issued:?}").contains("eyJ"));
    }

    /// `cargo test --release -- --ignored --nocapture cost`
    #[test]
    #[ignore = "a measurement"]
    #[allow(clippy::print_stdout)]
    fn cost() {
        use std::hint::black_box;
        const ROUNDS: u32 = 10_000;
        let f = fixture();
        let timed = |what: &str, run: &mut dyn FnMut()| {
            let start = std::time::Instant::now();
            for _ in 0..ROUNDS {
                run();
            }
            println!("{what}: {:?}", start.elapsed() / ROUNDS);
        };
        let token = f.issue();
        let ring = f.keys.load();
        println!("token: {} bytes", token.len());
        timed("issue", &mut || {
            let _ = black_box(f.issue());
        });
        timed("cold", &mut || {
            let _ = black_box(f.verifier.verify_cold(&token, &ring));
        });
        timed("cached", &mut || {
            let _ = black_box(f.verify(&token));
        });
        let tokens: Vec<_> = (0..ROUNDS).map(|_| f.issue()).collect();
        let mut next = tokens.iter().cycle();
        timed("cold and inserted", &mut || {
            let _ = black_box(f.verify(next.next().unwrap()));
        });
        timed("cached, 10,000 tokens", &mut || {
            let _ = black_box(f.verify(next.next().unwrap()));
        });
        let mut forged = token.clone();
        forged.replace_range(token.len() - 10..token.len() - 9, "-");
        timed("forged signature", &mut || {
            let _ = black_box(f.verify(&forged));
        });
        let long = "a".repeat(MAX_TOKEN_LENGTH);
        timed("4 KiB of nothing", &mut || {
            let _ = black_box(f.verify(&long));
        });
    }
}
