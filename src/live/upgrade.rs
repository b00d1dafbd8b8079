//! `GET /api/v1/realtime`: from a request to a socket.
//!
//! Credentials that come with the request are judged before the upgrade: a 401 is what a command-line client can read,
//! and a browser, which cannot, learns as much from a handshake that fails at once. Credentials in `hello` are judged on
//! the socket, with close codes.

use axum::{
    extract::{Query, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{Live, origin, socket::Socket};
use crate::{
    application::{Error, now},
    identity::Caller,
};

/// The subprotocol that is spoken.
const PROTOCOL: &str = "workroom.v1";
/// Bytes that a socket reads at a time: clients say little, and every idle socket has this buffer.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 4096;
/// Bytes that may wait to be written: more than the largest frame.
const MAX_WRITE_BUFFER: usize = 8 * 1024 * 1024;

/// The address' parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealtimeQuery {
    /// From `POST /api/v1/realtime/tickets`.
    pub ticket: Option<String>,
}

/// Opens a socket.
///
/// 401 for a header or ticket that does not hold, 403 for a page from elsewhere, 503 when there are too many sockets.
pub async fn realtime(
    State(live): State<Live>,
    headers: HeaderMap,
    Query(query): Query<RealtimeQuery>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin::is_welcome(&headers, &live.limits.origins) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if live.shutdown.is_cancelled() || live.hub.stopped().is_cancelled() {
        return unavailable(1);
    }
    let Some(count) = live.hub.admit_socket() else { return unavailable(5) };
    let caller = match caller(&live, &headers, query.ticket.as_deref()).await {
        Ok(caller) => caller,
        Err(error) => return refusal(&error),
    };
    let token = live.hub.tasks().token();
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(live.limits.message_bytes)
        .max_frame_size(live.limits.message_bytes)
        .on_upgrade(move |socket| async move {
            Socket::new(live, socket, caller).run().await;
            drop(count);
            drop(token);
        })
}

async fn caller(live: &Live, headers: &HeaderMap, ticket: Option<&str>) -> Result<Option<Caller>, Error> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = token.ok_or(Error::Unauthenticated("the Authorization header is not a bearer token"))?;
        return live.identity.authenticate(token, now()).await.map(Some);
    }
    match ticket {
        Some(ticket) => live.identity.redeem_ticket(ticket, now()).await.map(Some),
        None => Ok(None),
    }
}

fn unavailable(seconds: u16) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, HeaderValue::from(seconds))]).into_response()
}

fn refusal(error: &Error) -> Response {
    match error {
        Error::Unauthenticated(_) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))]).into_response()
        }
        Error::Busy { retry_after, .. } => unavailable(u16::try_from(retry_after.as_secs()).unwrap_or(u16::MAX)),
        other => {
            tracing::error!(error = other as &dyn std::error::Error, "a ticket could not be redeemed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
