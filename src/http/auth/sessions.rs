//! `/auth/sessions`

use axum::extract::State as Extract;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::account::SessionEnd;

use crate::{
    application::Error,
    http::{
        State,
        extract::{AccountOwner, Query, SessionPath},
        page::{Items, PageParams},
        reply::{List, NoContent, at_position, uncancellable},
    },
};

/// A session that is going on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// The session's id: `sid` of its access tokens.
    id: Uuid,
    /// Whether it is the session of this request.
    current: bool,
    /// What the client called itself at sign-in.
    user_agent: Option<String>,
    /// When somebody signed in.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When its tokens were last refreshed.
    #[serde(with = "time::serde::rfc3339")]
    refreshed_at: OffsetDateTime,
    /// When it ends unless its tokens are refreshed before.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// The account's sessions that are going on, youngest first.
#[utoipa::path(get, path = "/auth/sessions", tag = "auth", operation_id = "listSessions")]
pub async fn list_sessions(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    Query(params): Query<PageParams>,
) -> Result<List<Session>, Error> {
    at_position(&state, params.min_position).await?;
    let current = caller.identity.session_id().map(Uuid::from);
    let (account_id, now) = (caller.identity.account_id, caller.context.now);
    let listed = state.identity.sessions(account_id, now, params.page()?).await?;
    let items = Items::of(listed, |session| {
        Ok(Session {
            id: session.id,
            current: current == Some(session.id),
            user_agent: session.user_agent,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
        })
    });
    items.map(List::from)
}

/// End a session of the account, at once on every instance.
#[utoipa::path(delete, path = "/auth/sessions/{session_id}", tag = "auth", operation_id = "revokeSession")]
pub async fn revoke_session(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    SessionPath { session_id }: SessionPath,
) -> Result<NoContent, Error> {
    let identity = state.identity.clone();
    let ended =
        uncancellable(async move { identity.end_session(&caller.context, session_id, SessionEnd::Revoked).await });
    Ok(match ended.await? {
        Some(ended) => NoContent::new(ended.position, ended.visible),
        None => NoContent::unchanged(),
    })
}
