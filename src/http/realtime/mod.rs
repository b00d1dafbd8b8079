//! `/realtime`: tickets for the WebSocket. The socket itself is [`crate::live`]'s.

use axum::extract::State as Extract;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    State,
    extract::{Caller, ClientKey},
    reply::CreatedBody,
};
use crate::{application::Error, clock::now};

/// A secret that opens one WebSocket, for 30 seconds after it was made.
#[derive(Serialize, ToSchema)]
pub struct Ticket {
    /// Pass it as `?ticket=` when opening the WebSocket; it can be used once.
    ticket: String,
    /// Until when it can be used.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Get a ticket that opens a WebSocket where no header can be set. With an `Idempotency-Key`, the same ticket is told again to
/// whoever sends the same key again by the same credentials; it still can be used once.
#[utoipa::path(post, path = "/realtime/tickets", tag = "realtime", operation_id = "createTicket")]
pub async fn ticket(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
) -> Result<CreatedBody<Ticket>, Error> {
    let caller = caller.identity;
    // A ticket opens what its credentials do: it is not told again to others of the same account.
    let key = key.bind(&state, caller.account_id.into(), caller.credential_id.as_bytes());
    let issued = state.identity.issue_ticket(caller, key, now()).await?;
    let ticket = Ticket { ticket: issued.ticket, expires_at: issued.expires_at };
    Ok(CreatedBody::new(ticket).replayed(issued.replayed))
}
