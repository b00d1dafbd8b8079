//! `POST /auth/logout`

use axum::extract::State as Extract;
use workroom_domain::account::SessionEnd;
use workroom_domain::refusal::Kind;

use crate::identity::codes::EXTERNAL_SESSION;
use crate::{
    application::Error,
    http::{
        State,
        extract::AccountOwner,
        reply::{NoContent, uncancellable},
    },
};

/// Sign out: the session ends, at once on every instance.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", operation_id = "logout")]
pub async fn logout(Extract(state): Extract<State>, AccountOwner(caller): AccountOwner) -> Result<NoContent, Error> {
    let session_id = caller
        .identity
        .session_id()
        .ok_or_else(|| Error::refused(EXTERNAL_SESSION, "you are signed in by another issuer; sign out there"))?;
    let identity = state.identity.clone();
    let ended =
        uncancellable(async move { identity.end_session(&caller.context, session_id, SessionEnd::LoggedOut).await });
    match ended.await {
        Ok(Some(ended)) => Ok(NoContent::new(ended.position, ended.visible)),
        // Somebody else has just ended it.
        Err(error) if error.kind() != Kind::NotFound => Err(error),
        Ok(None) | Err(_) => Ok(NoContent::unchanged()),
    }
}
