//! `/realtime`: tickets for the WebSocket. The socket itself is [`crate::live`]'s.

use axum::{Json, extract::State as Extract, http::StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{State, extract::Caller};
use crate::{application::Error, clock::now};

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct Ticket {
    /// Pass it as `?ticket=` when opening the WebSocket; it can be used once.
    ticket: String,
    /// Until when it can be used.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Get a ticket that opens a WebSocket where no header can be set.
#[utoipa::path(post, path = "/realtime/tickets", tag = "realtime",
    responses((status = 201, description = "A ticket, good for 30 seconds", body = Ticket)))]
pub async fn ticket(Extract(state): Extract<State>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), Error> {
    let issued = state.identity.issue_ticket(caller.identity, now()).await?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket: issued.ticket, expires_at: issued.expires_at })))
}
