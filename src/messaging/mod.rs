//! The connection to NATS, and the doorbells that ring over it.
//!
//! Postgres is the truth; NATS carries copies and wake-up calls. So nothing here may keep the service from starting or
//! from taking commands: [`Messaging::connect`] returns at once, reconnects for ever, and says through
//! [`Messaging::state`] what the connection is worth. Whoever publishes something that must not be lost (only the
//! [relay](crate::relay) does) waits for acknowledgements and starts over when the connection's generation changes.
//!
//! [`doorbell`] tells other processes how far the log and the views are; losing such a message costs the time until the
//! next timer, never more. [`epoch`] follows which history the log tells, which scopes the doorbells' subjects. [`seal`] is how
//! processes tell each other's messages from anybody else's.

mod address;
pub mod copy;
pub mod doorbell;
pub mod epoch;
pub mod header;
pub mod peers;
pub mod seal;
mod tls;

use std::time::Duration;

use anyhow::Context as _;
use async_nats::{
    Client, ConnectError, ConnectOptions, Event, ServerAddr,
    jetstream::{Context, context::ContextBuilder},
};
use tokio::sync::watch;

use crate::config::Config;

pub use address::AddressError;

/// How often the server is pinged. Two unanswered pings end the connection, so a partition is noticed within three.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long JetStream may take to answer, and to acknowledge.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the connection is worth at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionState {
    /// Whether a server answers.
    pub connected: bool,
    /// Counts the connections made so far. Another generation means that messages may have been lost in between, and
    /// that the server may be another one, with another store.
    pub generation: u64,
}

/// NATS cannot be used at all. A server that is away is no such error.
#[derive(Debug, thiserror::Error)]
pub enum MessagingError {
    /// The address is not one.
    #[error("the address of NATS cannot be used")]
    Address(#[from] AddressError),
    /// The client could not be set up.
    #[error("the NATS client could not be set up")]
    Client(#[from] ConnectError),
}

/// A connection to NATS that outlives the server's absence. Cheap to clone.
#[derive(Clone)]
pub struct Messaging {
    client: Client,
    jetstream: Context,
    state: watch::Receiver<ConnectionState>,
}

impl Messaging {
    /// Prepares the connection that is configured, as [`Messaging::connect`]. What a process that only runs jobs is answered
    /// comes to subjects of its own (`_INBOX_worker.>`), so that its user in NATS need not be let into anybody else's.
    ///
    /// # Errors
    /// The address is malformed, or a file for TLS cannot be used; the setting is named.
    pub async fn of(config: &Config) -> anyhow::Result<Self> {
        let files = tls::Files::of(&config.connections)?;
        let inboxes = if config.process.only_runs_jobs() { "_INBOX_worker" } else { "_INBOX" };
        let messaging = Self::connect_with(&config.connections.nats_url, &files, inboxes).await;
        messaging.context("NATS_URL is not an address of NATS")
    }

    /// Prepares a connection to the servers of `url`: `nats://[user[:password]@]host[:port]`, several separated by
    /// commas; with `tls://` at one of them nothing is said to any before TLS; a user without a password is a token. Returns at
    /// once: connecting, and connecting again, goes on in the background until the last clone is dropped.
    ///
    /// # Errors
    /// The address is malformed. A server that cannot be reached is no error.
    pub async fn connect(url: &str) -> Result<Self, MessagingError> {
        Self::connect_with(url, &tls::Files::default(), "_INBOX").await
    }

    async fn connect_with(url: &str, files: &tls::Files, inboxes: &str) -> Result<Self, MessagingError> {
        let address::Address { servers, credentials } = address::parse(url)?;
        let needs_tls = files.any() || servers.iter().any(ServerAddr::tls_required);
        let places: Vec<String> = servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
        let places = places.join(", ");
        let (sender, state) = watch::channel(ConnectionState::default());
        let options = ConnectOptions::new()
            .name("workroom")
            .custom_inbox_prefix(inboxes)
            .retry_on_initial_connect()
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(ACK_TIMEOUT))
            .reconnect_delay_callback(pause)
            // Asked before each attempt, with the causes of those before. Which server is next is left to the client.
            .reconnect_to_server_callback(|servers, _| {
                tls::explain(&servers);
                std::future::ready(None)
            })
            .event_callback(move |event| {
                note(&sender, &places, &event);
                std::future::ready(())
            });
        let options = match credentials {
            Some(address::Credentials::Password { user, password }) => options.user_and_password(user, password),
            Some(address::Credentials::Token(token)) => options.token(token),
            None => options,
        };
        let options = if needs_tls { files.require(options) } else { options };
        let client = options.connect(servers).await?;
        let jetstream = ContextBuilder::new().timeout(ACK_TIMEOUT).ack_timeout(ACK_TIMEOUT).build(client.clone());
        Ok(Self { client, jetstream, state })
    }

    /// The client, for core NATS. While the server is away, what is published waits in a bounded queue and goes out
    /// late; publishers of what is worthless by then look at [`Messaging::is_connected`] first.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// JetStream, with an acknowledgement time-out of five seconds.
    pub fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// The state of the connection, and its changes.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }

    /// Whether a server answers, as far as is known: a silent partition is noticed after a few seconds.
    pub fn is_connected(&self) -> bool {
        self.state.borrow().connected
    }

    /// Returns once a server answers.
    pub async fn connected(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| state.connected).await.is_err() {
            // The client is gone for good, which only happens when the runtime shuts down.
            std::future::pending::<()>().await;
        }
    }

    /// Returns once the connection of this generation is lost.
    pub async fn lost(&self, generation: u64) {
        let mut state = self.state.clone();
        let _ = state.wait_for(|state| !state.connected || state.generation != generation).await;
    }
}

/// The pause before an attempt to connect: none at first, then doubling from 10 ms up to a second.
fn pause(attempts: usize) -> Duration {
    match u32::try_from(attempts) {
        Ok(0 | 1) => Duration::ZERO,
        Ok(attempts) => (Duration::from_millis(5) * 2_u32.saturating_pow((attempts - 1).min(16))).min(LONGEST_PAUSE),
        Err(_) => LONGEST_PAUSE,
    }
}

/// Logs what happened to the connection, and passes it on to whoever watches.
fn note(state: &watch::Sender<ConnectionState>, places: &str, event: &Event) {
    match event {
        Event::Connected => {
            state.send_modify(|state| {
                state.connected = true;
                state.generation += 1;
            });
            tracing::info!(generation = state.borrow().generation, "connected to NATS");
        }
        Event::Disconnected => {
            state.send_modify(|state| state.connected = false);
            tracing::warn!(generation = state.borrow().generation, "lost the connection to NATS");
        }
        Event::Closed => {
            state.send_modify(|state| state.connected = false);
            tracing::info!("the NATS client is closed");
        }
        Event::SlowConsumer(subscription) => {
            tracing::warn!(subscription, "a subscription is too slow: NATS messages were dropped");
        }
        Event::ServerError(error) => tracing::warn!(%error, "NATS reported an error"),
        // One of these an attempt to connect: the log sums them up.
        Event::ClientError(error) => tracing::warn!(%error, places, "NATS cannot be reached"),
        Event::LameDuckMode | Event::Draining => tracing::info!(%event, "the NATS connection is about to move"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_no_further() {
        assert_eq!(pause(1), Duration::ZERO);
        assert_eq!(pause(2), Duration::from_millis(10));
        assert_eq!(pause(5), Duration::from_millis(80));
        assert!((6..2000).all(|attempts| pause(attempts) <= LONGEST_PAUSE));
        assert_eq!(pause(usize::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn each_connection_is_a_generation() {
        let (sender, receiver) = watch::channel(ConnectionState::default());
        note(&sender, "nats:4222", &Event::Connected);
        note(&sender, "nats:4222", &Event::Disconnected);
        assert_eq!(*receiver.borrow(), ConnectionState { connected: false, generation: 1 });
        note(&sender, "nats:4222", &Event::Connected);
        assert_eq!(*receiver.borrow(), ConnectionState { connected: true, generation: 2 });
    }
}
