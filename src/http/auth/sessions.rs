//! `/auth/sessions`

use axum::{
    Json,
    extract::State as Extract,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{account::SessionEnd, ids::SessionId};

use crate::{
    application::Error,
    http::{
        State,
        extract::{AccountOwner, Path},
        page::Items,
        reply::{done, to_its_end},
    },
};

/// A session that is going on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// Its id.
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    /// What the client called itself at sign-in.
    user_agent: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When its tokens were last renewed.
    #[serde(with = "time::serde::rfc3339")]
    refreshed_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// The account's sessions that are going on, youngest first.
#[utoipa::path(get, path = "/auth/sessions", tag = "auth",
    responses((status = 200, description = "The sessions", body = Items<Session>)))]
pub async fn list_sessions(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
) -> Result<Json<Items<Session>>, Error> {
    let current = caller.identity.session_id().map(Uuid::from);
    let sessions = state.identity.sessions(caller.identity.account_id, caller.context.now).await?;
    let items = sessions
        .into_iter()
        .map(|session| Session {
            id: session.id,
            current: current == Some(session.id),
            user_agent: session.user_agent,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
        })
        .collect();
    Ok(Json(Items { items, next_cursor: None }))
}

/// End a session of the account, at once on every instance.
#[utoipa::path(delete, path = "/auth/sessions/{session_id}", tag = "auth", params(("session_id" = Uuid, Path)),
    responses((status = 204, description = "Ended")))]
pub async fn revoke_session(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    Path(session_id): Path<Uuid>,
) -> Result<Response, Error> {
    let identity = state.identity.clone();
    let ended =
        to_its_end(
            async move { identity.end_session(&caller.context, SessionId(session_id), SessionEnd::Revoked).await },
        );
    Ok(match ended.await? {
        Some(ended) => done(ended.position, ended.visible),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
