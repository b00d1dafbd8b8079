//! `GET /api/v1/realtime`: from a request to a socket.
//!
//! Credentials that come with the request are judged before the upgrade: a 401 is what a command-line client can read,
//! and a browser, which cannot, learns as much from a handshake that fails at once. Credentials in `hello` are judged on
//! the socket, with close codes.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::upgrade::OnUpgrade;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    application::Error,
    http::{
        client_address::ClientAddress,
        problem::codes::{ORIGIN_REFUSED, TOO_MANY_SOCKETS, UNAVAILABLE},
    },
    live::{
        Live,
        connection::Connection,
        signal::Signal,
        transport::{self, origin, websocket},
    },
};

/// The subprotocol that is spoken.
const PROTOCOL: &str = "workroom.v1";

/// The address' parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealtimeQuery {
    /// From `POST /api/v1/realtime/tickets`.
    pub ticket: Option<String>,
}

/// Open a WebSocket (RFC 6455), subprotocol `workroom.v1`: events as they happen. Whoever can set no header brings a ticket, or
/// signs in by the first frame, `hello`.
#[utoipa::path(
    get,
    path = "/realtime",
    tag = "realtime",
    operation_id = "openSocket",
    params(("ticket" = inline(Option<String>), Query, description = "A ticket of `POST /realtime/tickets`.")),
    security((), ("bearer" = [])),
    responses(
        (status = 101, description = "The connection is a WebSocket from now on."),
        (status = 400),
        (status = 401),
        (status = 403),
        (status = 426),
        (status = 429),
        (status = 503)
    )
)]
pub async fn realtime(
    State(live): State<Live>,
    ClientAddress(address): ClientAddress,
    Query(query): Query<RealtimeQuery>,
    mut request: Request,
) -> Response {
    let (accept, upgrade) = match handshake(&mut request) {
        Ok(handshake) => handshake,
        Err(refused) => return *refused,
    };
    let headers = request.headers();
    if !origin::is_welcome(headers, &live.limits.origins) {
        return Error::from(ORIGIN_REFUSED).into_response();
    }
    if live.hub.is_stopping() {
        return unavailable(1);
    }
    let Some(count) = live.hub.admit_socket() else { return unavailable(5) };
    let Some(permit) = live.hub.socket_quota().for_address(address) else {
        return Error::later(TOO_MANY_SOCKETS, Duration::from_secs(5)).into_response();
    };
    let caller = match transport::caller(&live, headers, query.ticket.as_deref()).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let anonymous = match caller {
        Some(_) => None,
        None => match live.hub.socket_quota().for_anonymous(address) {
            Some(permits) => Some(permits),
            None => return Error::later(TOO_MANY_SOCKETS, Duration::from_secs(5)).into_response(),
        },
    };
    let speaks = speaks_our_protocol(headers);
    let token = live.hub.tasks().token();
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let socket = Box::pin(websocket::open(upgraded, &live.limits)).await;
                Connection::new(live, socket, caller, Arc::<Signal>::default()).until_signed_in(anonymous).run().await;
            }
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a socket was not opened"),
        }
        drop((count, permit));
        drop(token);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if speaks {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    response
}

/// Reads the opening handshake (RFC 6455, 4.2.1): what accepts it, and the connection to come.
fn handshake(request: &mut Request) -> Result<(HeaderValue, OnUpgrade), Box<Response>> {
    let headers = request.headers();
    let names = |name: &HeaderName, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    if !names(&header::CONNECTION, "upgrade") || !names(&header::UPGRADE, "websocket") {
        let upgrade = [(header::UPGRADE, HeaderValue::from_static("websocket"))];
        return Err(Box::new((StatusCode::UPGRADE_REQUIRED, upgrade).into_response()));
    }
    if !names(&header::SEC_WEBSOCKET_VERSION, "13") {
        let version = [(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))];
        return Err(Box::new((StatusCode::UPGRADE_REQUIRED, version).into_response()));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let accept = key.and_then(|accept| HeaderValue::try_from(accept).ok());
    let accept = accept.ok_or_else(|| Box::new(StatusCode::BAD_REQUEST.into_response()))?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    Ok((accept, upgrade.ok_or_else(|| Box::new(StatusCode::UPGRADE_REQUIRED.into_response()))?))
}

fn speaks_our_protocol(headers: &HeaderMap) -> bool {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|offered| offered.trim() == PROTOCOL)
}

fn unavailable(seconds: u64) -> Response {
    Error::later(UNAVAILABLE, Duration::from_secs(seconds)).into_response()
}
