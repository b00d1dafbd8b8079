//! `POST /realtime/tickets`

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    application::Error,
    clock::now,
    http::{
        State,
        extract::{Caller, ClientKey, OptionalBody, RequestBody},
        reply::CreatedBody,
    },
};

/// What a ticket is wanted for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TicketRequest {
    /// Whether it can be used again and again until the session or token ends that asked for it: for clients that open the same
    /// address on each reconnect, such as `EventSource`. Such a ticket is as good as a password for what is live: keep it out of
    /// logs.
    reusable: bool,
}

impl RequestBody for TicketRequest {}

/// A secret that opens a WebSocket or a stream of events.
#[derive(Serialize, ToSchema)]
pub struct Ticket {
    /// Pass it as `?ticket=` when opening the WebSocket or the stream. It can be used once, if it is not reusable.
    ticket: String,
    /// Until when it can be used: for 30 seconds, or, if it is reusable, until the session or token ends at the latest.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Get a ticket that opens a WebSocket or a stream of events where no header can be set. With an `Idempotency-Key`, the same ticket
/// is told again to whoever sends the same key again by the same credentials. A session or token has at most 20 reusable tickets;
/// one more ends the oldest.
#[utoipa::path(post, path = "/realtime/tickets", tag = "realtime", operation_id = "createTicket")]
pub async fn ticket(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    OptionalBody { value: request, bytes }: OptionalBody<TicketRequest>,
) -> Result<CreatedBody<Ticket>, Error> {
    let caller = caller.identity;
    // A ticket opens what its credentials do: it is not told again to others of the same account.
    let asked = [caller.credential_id.as_bytes().as_slice(), &bytes].concat();
    let key = key.bind(&state, caller.account_id.into(), &asked);
    let issued = state.identity.issue_ticket(caller, request.reusable, key, now()).await?;
    let ticket = Ticket { ticket: issued.ticket, expires_at: issued.expires_at };
    Ok(CreatedBody::new(ticket).replayed(issued.replayed))
}
