//! Checking access tokens.
//!
//! A checked token is remembered under SHA-256(key ring generation ‖ token). Only what cannot change is remembered; its
//! times are compared with `now` on every call. A key that leaves the ring changes the generation, and so the name of
//! every entry. Whether the session was revoked is not decided here.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use moka::{policy::EvictionPolicy, sync::Cache};
use time::OffsetDateTime;

use super::{
    AccessTokenConfig, Claims, InvalidConfig, InvalidToken, LIMITS, LONG_TYP, MAX_LIFETIME, TYP, TokenRejected,
};
use crate::{
    jws::{Jws, Object, SignatureAlgorithm, Untimely},
    signing_key::{Generation, KeyRing, SharedKeyRing, key_id},
};

/// How many checked tokens are remembered.
const CACHE_CAPACITY: u64 = 10_000;

/// Checks access tokens. Cloning shares the cache.
#[derive(Clone)]
pub struct AccessTokenVerifier {
    config: AccessTokenConfig,
    keys: SharedKeyRing,
    pub(super) verified: Cache<[u8; 32], Claims>,
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
        if token.len() > LIMITS.bytes {
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
    pub(super) fn verify_cold(&self, token: &str, ring: &KeyRing) -> Result<Claims, InvalidToken> {
        let jws = Jws::parse(token, LIMITS)?;
        check_parameters(jws.header())?;
        jws.require_algorithm(SignatureAlgorithm::EdDsa)?;
        let typ = jws.header().text("typ").ok_or(InvalidToken::Type)?;
        if !typ.eq_ignore_ascii_case(TYP) && !typ.eq_ignore_ascii_case(LONG_TYP) {
            return Err(InvalidToken::Type);
        }
        let kid = jws.header().text("kid").ok_or(InvalidToken::UnknownKey)?;
        let key = ring.find(kid).ok_or(InvalidToken::UnknownKey)?;
        Claims::read(&jws.verify(key.verifying())?, &self.config, key_id(kid))
    }

    fn check_times(&self, claims: Claims, now: OffsetDateTime) -> Result<Claims, TokenRejected> {
        match claims.times().check(now, self.config.leeway, MAX_LIFETIME) {
            Ok(()) => Ok(claims),
            Err(Untimely::NotYet) => Err(InvalidToken::NotYetValid.into()),
            Err(Untimely::TooLong) => Err(InvalidToken::Lifetime.into()),
            Err(Untimely::Expired) => Err(TokenRejected::Expired),
        }
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

/// Only `alg`, `typ` and `kid` may be there: we write nothing else, and every other parameter either names a key of the
/// sender's choice (`jku`, `jwk`, `x5u`, `x5c`), changes how the token must be read (`crit`, `b64`, `zip`, `enc`), or is
/// unknown.
fn check_parameters(header: &Object) -> Result<(), InvalidToken> {
    const NAMED: [&str; 6] = ["jku", "jwk", "x5u", "x5c", "zip", "b64"];
    match header.names().find(|name| !["alg", "typ", "kid"].contains(name)) {
        None => Ok(()),
        Some(refused) => {
            let named = NAMED.into_iter().find(|named| *named == refused);
            Err(InvalidToken::HeaderParameter(named.unwrap_or("(unknown)")))
        }
    }
}
