//! `POST /invitations/{token}/block`

use axum::{extract::State as Extract, http::StatusCode};

use crate::{
    application::Error,
    http::{State, extract::Path, reply::to_its_end},
};

/// Keep further invitations from the address that an invitation went to. Whoever has its token reads mail to the address, and
/// needs no account. It holds until an account proves the address. Takes the form of one-click unsubscription (RFC 8058), and any
/// other body.
#[utoipa::path(post, path = "/invitations/{token}/block", tag = "invitations", security(()),
    params(("token" = String, Path)), responses((status = 204, description = "Blocked"),
              (status = 404, description = "No such invitation", body = crate::http::problem::ProblemDetails,
               content_type = "application/problem+json")))]
pub async fn block(Extract(state): Extract<State>, Path(token): Path<String>) -> Result<StatusCode, Error> {
    let identity = state.identity.clone();
    to_its_end(async move { identity.block_invitations(&token).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
