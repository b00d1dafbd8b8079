//! An issuer's keys (RFC 7517), fetched over HTTP or read from a file when they are needed, and kept.
//!
//! Keys are kept for an hour, and go on for a day while they cannot be fetched anew. A key that is not among them has
//! them fetched again, but not more often than every thirty seconds: a flood of made-up key names costs the issuer
//! nothing.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::StreamExt;
use workroom_credentials::{external::KeySet, jws::VerifyingKey};

/// How long keys are taken for current.
const FRESH: Duration = Duration::from_hours(1);
/// How long they go on while they cannot be fetched.
const STALE: Duration = Duration::from_hours(24);
/// The least time between two fetches.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 256 * 1024;

/// Where keys come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Url(url::Url),
    File(PathBuf),
}

/// What came of asking for a key.
pub(super) enum Fetched {
    Key(VerifyingKey),
    Unknown,
    Unavailable,
}

#[derive(Default)]
struct State {
    keys: KeySet,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
}

/// An issuer's keys. Cloning shares them.
#[derive(Clone)]
pub(super) struct IssuerKeys(Arc<Inner>);

struct Inner {
    source: Source,
    http: reqwest::Client,
    /// Never held across a fetch: keys that are there are found at once.
    state: Mutex<State>,
    fetching: tokio::sync::Mutex<()>,
}

impl IssuerKeys {
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
    pub(super) async fn key(&self, name: Option<&str>) -> Fetched {
        let (found, is_fresh) = {
            let state = self.0.state();
            (state.keys.find(name).filter(|_| state.is_younger_than(STALE)).cloned(), state.is_younger_than(FRESH))
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
        match state.keys.find(name) {
            _ if !state.is_younger_than(STALE) => Fetched::Unavailable,
            Some(key) => Fetched::Key(key.clone()),
            None => Fetched::Unknown,
        }
    }
}

#[cfg(test)]
impl IssuerKeys {
    /// As if the interval had passed.
    pub(super) fn age_last_fetch(&self) {
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
            Ok(keys) => self.state().replace(keys),
            Err(error) => tracing::warn!(source = ?self.source, "an issuer's keys cannot be fetched: {error:#}"),
        }
    }

    async fn fetch(&self) -> anyhow::Result<KeySet> {
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
        Ok(KeySet::parse(&body)?)
    }
}

impl State {
    fn is_younger_than(&self, age: Duration) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < age)
    }

    fn replace(&mut self, keys: KeySet) {
        self.keys = keys;
        self.fetched_at = Some(Instant::now());
    }
}
