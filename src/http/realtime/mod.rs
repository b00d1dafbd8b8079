//! `/realtime`: tickets for the WebSocket. The socket itself is [`crate::live`]'s.

use axum::extract::State as Extract;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{State, extract::Caller, reply::CreatedBody};
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
#[utoipa::path(post, path = "/realtime/tickets", tag = "realtime", operation_id = "createTicket")]
pub async fn ticket(Extract(state): Extract<State>, caller: Caller) -> Result<CreatedBody<Ticket>, Error> {
    let issued = state.identity.issue_ticket(caller.identity, now()).await?;
    Ok(CreatedBody::new(Ticket { ticket: issued.ticket, expires_at: issued.expires_at }))
}
