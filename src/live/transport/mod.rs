//! How frames get to a client: over a WebSocket, or as server-sent events. A transport knows no feeds and no rights; whatever a
//! connection decides, it decides for all of them.

mod origin;
pub(crate) mod sse;
pub(crate) mod websocket;

use std::task::{Context, Poll};

use axum::http::{HeaderMap, header};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

use crate::{
    application::Error,
    clock::now,
    identity::{Caller, codes::TOKEN_INVALID},
    live::{Live, connection::close::Close, feed::FeedId},
};

/// A place in a history that a client can resume from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) struct Place {
    pub(in crate::live) feed: FeedId,
    pub(in crate::live) epoch: Uuid,
    pub(in crate::live) seq: i64,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) enum Item {
    /// A frame, and where its feed is behind it, if it moves on with it.
    Frame(Utf8Bytes, Option<Place>),
    /// Are you there?
    Ping,
    /// The end, and why.
    Close(Close),
}

/// What comes from the client.
#[derive(Debug)]
pub(in crate::live) enum Incoming {
    /// A message.
    Text(Utf8Bytes),
    /// A message of bytes, which the protocol has no use for.
    Binary,
    /// A sign of life.
    Alive,
    /// The client has gone.
    Gone,
}

/// Why nothing more can be sent or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Failure {
    /// The client broke the rules of the transport, and can be told so.
    Broken(Close),
    /// The connection is no more.
    Gone,
}

/// How frames get to a client, and messages from it.
pub(in crate::live) trait Transport: Send {
    /// The next of what comes from the client.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Incoming, Failure>>;

    /// Ready when it takes another item. Not ready while the client takes nothing.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// Takes an item, after [`Transport::poll_ready`].
    ///
    /// # Errors
    /// Nothing can be sent any more.
    fn send(&mut self, item: Item) -> Result<(), Failure>;

    /// Ready when everything that was taken is on its way.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// Whether the client has taken anything since the last call, as far as that is known before all is on its way.
    fn has_taken(&mut self) -> bool {
        false
    }

    /// Ready once the client has hung up, after the close was sent by either side.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Whether nothing comes from the client: no answers to pings, and no messages.
    fn is_one_way(&self) -> bool;
}

/// Finds out who a request comes from, by its header or by a ticket.
async fn caller(live: &Live, headers: &HeaderMap, ticket: Option<&str>) -> Result<Option<Caller>, Error> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = token.ok_or(TOKEN_INVALID)?;
        return live.identity.authenticate(token, now()).await.map(Some);
    }
    match ticket {
        Some(ticket) => live.identity.redeem_ticket(ticket, now()).await.map(Some),
        None => Ok(None),
    }
}
