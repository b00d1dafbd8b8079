//! Sends a message to an address, and follows redirects within bounds.
//!
//! A redirect is followed to the same host and port only, and only where the method stays (307, 308). The owner of a
//! project named that host as the one that may read the project's history; a host that points elsewhere would pass it
//! on without being asked. So no other host gets a message, nor a signature of ours. Each hop is signed anew.

use std::{error::Error as StdError, io, sync::Arc, time::Duration};

use ::url::Url;
use bytes::Bytes;
use reqwest::{
    StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::webhook::signature::SigningSecret;

use super::{
    Answer, Destinations,
    destinations::Refused,
    event::MEDIA_TYPE,
    lookup::{Lookups, Unresolved},
    reply::retry_after,
};

/// How long an attempt may take in all.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may take to stand, with the lookup of its host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(9);
/// How long a connection is kept for the next message.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to one host that are kept.
const IDLE_CONNECTIONS: usize = 4;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;
/// What the service calls itself.
const USER_AGENT: &str = concat!("workroom/", env!("CARGO_PKG_VERSION"));

/// What is sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id: the same each time that it is sent.
    pub id: Uuid,
    /// Its body.
    pub body: Bytes,
    /// What it is signed with: one signature for each.
    pub secrets: Vec<SigningSecret>,
}

impl Message {
    fn signatures(&self, at: OffsetDateTime) -> String {
        let id = self.id.to_string();
        let signatures: Vec<String> = self.secrets.iter().map(|secret| secret.sign(&id, at, &self.body)).collect();
        signatures.join(" ")
    }
}

/// Why nothing was answered, or nothing that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The address does not read.
    #[error("the address does not read")]
    Address,
    /// Nothing may be sent there, or the name stands for nothing.
    #[error("there is no address that may be reached")]
    NoAddress,
    /// The service itself could not do its part. That is no fault of whoever receives.
    #[error("the service could not use its network")]
    NoNetwork,
    /// A connection could not be made, or not be trusted.
    #[error("no connection could be made")]
    Connection,
    /// It took too long.
    #[error("there was no answer in time")]
    Timeout,
    /// A redirect to another host, or to nowhere.
    #[error("a redirect is not followed")]
    Redirect,
    /// The connection broke, or what came is not HTTP.
    #[error("the answer could not be read")]
    Protocol,
}

impl NotSent {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "malformed_address",
            Self::NoAddress => "no_public_address",
            Self::NoNetwork => "no_network",
            Self::Connection => "connection_failed",
            Self::Timeout => "timeout",
            Self::Redirect => "redirect_refused",
            Self::Protocol => "no_http",
        }
    }
}

impl From<Refused> for NotSent {
    fn from(_: Refused) -> Self {
        Self::NoAddress
    }
}

impl From<reqwest::Error> for NotSent {
    fn from(error: reqwest::Error) -> Self {
        // Where people send events to is none of the log's business.
        let error = error.without_url();
        tracing::debug!(error = &error as &dyn StdError, "a webhook could not be delivered");
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(known) = cause {
            if let Some(unresolved) = known.downcast_ref::<Unresolved>() {
                return match unresolved {
                    Unresolved::NoAddress => Self::NoAddress,
                    Unresolved::NoAnswer => Self::NoNetwork,
                };
            }
            if known.downcast_ref().is_some_and(is_own) {
                return Self::NoNetwork;
            }
            cause = known.source();
        }
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::Connection
        } else {
            Self::Protocol
        }
    }
}

/// Whether a connection failed here: no route to any network, no port or file left.
fn is_own(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, NetworkDown, NetworkUnreachable, OutOfMemory};
    // ENFILE, EMFILE, ENOBUFS
    let is_short = error.raw_os_error().is_some_and(|code| [23, 24, 105].contains(&code));
    is_short || matches!(error.kind(), AddrNotAvailable | NetworkDown | NetworkUnreachable | OutOfMemory)
}

/// Gives a connection nothing but addresses that may be reached.
struct Resolver {
    lookups: Lookups,
    destinations: Arc<Destinations>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookups, destinations) = (self.lookups.clone(), Arc::clone(&self.destinations));
        Box::pin(async move {
            let reachable = lookups.reachable(name.as_str().to_owned(), &destinations).await?;
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}

/// Sends messages. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    destinations: Arc<Destinations>,
    timeout: Duration,
}

impl Client {
    /// A client that goes nowhere else. It keeps no cookies, unpacks nothing, and asks no proxy that the environment
    /// names: a proxy would resolve names by itself.
    ///
    /// # Errors
    /// What TLS rests on cannot be read.
    pub fn new(destinations: Destinations) -> reqwest::Result<Self> {
        Self::with_timeout(destinations, TIMEOUT)
    }

    fn with_timeout(destinations: Destinations, timeout: Duration) -> reqwest::Result<Self> {
        let destinations = Arc::new(destinations);
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .http1_only()
            .https_only(!destinations.allow_http)
            .dns_resolver(Resolver { lookups: Lookups::default(), destinations: Arc::clone(&destinations) })
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build()?;
        Ok(Self { http, destinations, timeout })
    }

    /// Sends a message, and returns what was answered.
    ///
    /// # Errors
    /// See [`NotSent`].
    pub async fn send(&self, address: &str, message: &Message) -> Result<Answer, NotSent> {
        let url = Url::parse(address).map_err(|_| NotSent::Address)?;
        tokio::time::timeout(self.timeout, self.follow(url, message)).await.unwrap_or(Err(NotSent::Timeout))
    }

    async fn follow(&self, mut url: Url, message: &Message) -> Result<Answer, NotSent> {
        for _ in 0..=MAX_REDIRECTS {
            self.destinations.check(&url)?;
            let response = self.post(&url, message).await?;
            match response.status() {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    url = next(&url, &response).ok_or(NotSent::Redirect)?;
                }
                status => {
                    let text = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let wait = text.and_then(|text| retry_after(text, crate::clock::now()));
                    return Ok(Answer { status: status.as_u16(), retry_after: wait });
                }
            }
        }
        Err(NotSent::Redirect)
    }

    /// The head of the answer is all that is read: at most a hundred headers, in 400 KiB. What follows is dropped with
    /// the connection.
    async fn post(&self, url: &Url, message: &Message) -> Result<reqwest::Response, NotSent> {
        let at = crate::clock::now();
        let response = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header("webhook-id", message.id.to_string())
            .header("webhook-timestamp", at.unix_timestamp().to_string())
            .header("webhook-signature", message.signatures(at))
            .body(message.body.clone())
            .send()
            .await?;
        Ok(response)
    }
}

/// Where a redirect leads, if that is the same host and port.
fn next(url: &Url, response: &reqwest::Response) -> Option<Url> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let next = url.join(location).ok()?;
    let is_same = |one: &Url, other: &Url| {
        (one.scheme(), one.host(), one.port_or_known_default())
            == (other.scheme(), other.host(), other.port_or_known_default())
    };
    let has_credentials = !next.username().is_empty() || next.password().is_some();
    (is_same(url, &next) && !has_credentials).then_some(next)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
