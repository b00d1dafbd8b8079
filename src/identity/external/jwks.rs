//! An issuer's keys (RFC 7517), fetched when they are needed and kept.
//!
//! Keys are kept for an hour, and go on for a day while they cannot be fetched anew. A key that is not among them has
//! them fetched again, but not more often than every thirty seconds: a flood of made-up key names costs the issuer
//! nothing.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::StreamExt;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;

/// How long keys are taken for current.
const FRESH: Duration = Duration::from_hours(1);
/// How long they go on while they cannot be fetched.
const STALE: Duration = Duration::from_hours(24);
/// The least time between two fetches.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 256 * 1024;
const MAX_KEYS: usize = 100;
/// Shorter RSA moduli can be broken (RFC 7518, 3.3), in bytes.
const MIN_RSA: usize = 256;

/// Where keys come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// An address.
    Url(url::Url),
    /// A file.
    File(PathBuf),
}

/// A key that tokens are checked with.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    pub(super) algorithm: Algorithm,
}

impl Key {
    /// The algorithm's name in a token's header.
    pub(super) fn name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::RS256 => "RS256",
            Algorithm::ES256 => "ES256",
            _ => "EdDSA",
        }
    }
}

/// What came of asking for a key.
pub(super) enum Fetched {
    Key(Arc<Key>),
    Unknown,
    Unavailable,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, Arc<Key>>,
    /// The only key of a set of one: it needs no name.
    only: Option<Arc<Key>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
}

/// An issuer's keys. Cloning shares them.
#[derive(Clone)]
pub(super) struct Jwks(Arc<Inner>);

struct Inner {
    source: Source,
    http: reqwest::Client,
    /// Never held across a fetch: keys that are there are found at once.
    state: Mutex<State>,
    fetching: tokio::sync::Mutex<()>,
}

impl Jwks {
    pub(super) fn new(source: Source) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("no HTTP client could be made")?;
        Ok(Self(Arc::new(Inner { source, http, state: Mutex::default(), fetching: tokio::sync::Mutex::default() })))
    }

    /// The key of that name; without a name, the only one. A key that is known is answered at once, if need be while a
    /// fetch goes on behind it; whoever asks for another one while keys are being fetched waits for that one fetch.
    pub(super) async fn key(&self, kid: Option<&str>) -> Fetched {
        let (found, is_fresh) = {
            let state = self.0.state();
            (state.find(kid).filter(|_| state.is_younger_than(STALE)), state.is_younger_than(FRESH))
        };
        match found {
            Some(key) if is_fresh => return Fetched::Key(key),
            Some(key) => {
                let keys = self.clone();
                tokio::spawn(async move { keys.0.refresh().await });
                return Fetched::Key(key);
            }
            None => self.0.refresh().await,
        }
        let state = self.0.state();
        match state.find(kid) {
            _ if !state.is_younger_than(STALE) => Fetched::Unavailable,
            Some(key) => Fetched::Key(key),
            None => Fetched::Unknown,
        }
    }
}

#[cfg(test)]
impl Jwks {
    /// As if the interval had passed.
    pub(super) fn forget_last_fetch(&self) {
        self.0.state().tried_at = None;
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the keys, unless that was tried a moment ago.
    async fn refresh(&self) {
        let _one_at_a_time = self.fetching.lock().await;
        {
            let mut state = self.state();
            if state.tried_at.is_some_and(|at| at.elapsed() < INTERVAL) {
                return;
            }
            state.tried_at = Some(Instant::now());
        }
        match self.fetch().await {
            Ok(keys) => self.state().replace(&keys),
            Err(error) => tracing::warn!(source = ?self.source, "an issuer's keys cannot be fetched: {error:#}"),
        }
    }

    async fn fetch(&self) -> anyhow::Result<Vec<Jwk>> {
        let body = match &self.source {
            Source::File(path) => tokio::fs::read(path).await?,
            Source::Url(url) => {
                let reply = self.http.get(url.clone()).send().await?.error_for_status()?;
                let mut body = Vec::new();
                let mut chunks = reply.bytes_stream();
                while let Some(chunk) = chunks.next().await {
                    body.extend_from_slice(&chunk?);
                    anyhow::ensure!(body.len() <= MAX_BODY, "the key set is too large");
                }
                body
            }
        };
        let set: Set = serde_json::from_slice(&body)?;
        // A key of a kind that is not known here must not keep the others out.
        Ok(set.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl State {
    fn is_younger_than(&self, age: Duration) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < age)
    }

    fn find(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        match kid {
            Some(kid) => self.keys.get(kid).cloned(),
            None => self.only.clone(),
        }
    }

    fn replace(&mut self, jwks: &[Jwk]) {
        let usable: Vec<_> =
            jwks.iter().filter_map(|jwk| Some((jwk.common.key_id.clone(), Arc::new(key(jwk)?)))).collect();
        self.only = match usable.as_slice() {
            [(_, only)] => Some(Arc::clone(only)),
            _ => None,
        };
        self.keys = usable.into_iter().filter_map(|(kid, key)| Some((kid?, key))).collect();
        self.fetched_at = Some(Instant::now());
    }
}

/// A published key as one to check with; none for kinds, uses and sizes that are not accepted.
fn key(jwk: &Jwk) -> Option<Key> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            if significant < MIN_RSA {
                return None;
            }
            Algorithm::RS256
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    Some(Key { decoding: DecodingKey::from_jwk(jwk).ok()?, algorithm })
}
