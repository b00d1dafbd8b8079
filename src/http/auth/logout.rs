//! `POST /auth/logout`

use axum::{
    extract::State as Extract,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use workroom_domain::account::SessionEnd;
use workroom_domain::refusal::Kind;

use crate::identity::codes::EXTERNAL_SESSION;
use crate::{
    application::Error,
    http::{
        State,
        extract::AccountOwner,
        reply::{done, to_its_end},
    },
};

/// Sign out: the session ends, at once on every instance.
#[utoipa::path(post, path = "/auth/logout", tag = "auth",
    responses((status = 204, description = "Signed out"),
              (status = 409, description = "Signed in with another issuer's token: sign out there",
               body = crate::http::problem::ProblemDetails, content_type = "application/problem+json")))]
pub async fn logout(Extract(state): Extract<State>, AccountOwner(caller): AccountOwner) -> Result<Response, Error> {
    let session_id = caller
        .identity
        .session_id()
        .ok_or_else(|| Error::refused(EXTERNAL_SESSION, "you are signed in by another issuer; sign out there"))?;
    let identity = state.identity.clone();
    let ended =
        to_its_end(async move { identity.end_session(&caller.context, session_id, SessionEnd::LoggedOut).await });
    match ended.await {
        Ok(Some(ended)) => Ok(done(ended.position, ended.visible)),
        // Somebody else has just ended it.
        Err(error) if error.kind() != Kind::NotFound => Err(error),
        Ok(None) | Err(_) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}
