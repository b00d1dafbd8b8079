//! `…/events/{seq}`: one event, by its place in the feed.

use axum::extract::State as Extract;
use futures::TryFutureExt;
use uuid::Uuid;
use workroom_projections::history;

use super::{
    Visibility,
    item::{HistoryEvent, shown},
    project_visibility,
};
use crate::{
    application::Error,
    http::{
        State,
        extract::{AccountEventPath, AccountOwner, Caller, OrganizationEventPath, ProjectEventPath, Query},
        projects::read::ReadParams,
        reply::{Shown, at_position},
    },
};

/// Reads an event, once it is known how much of the feed its reader may see.
async fn read(
    state: &State,
    feed_id: Uuid,
    seq: i64,
    params: &ReadParams,
    visibility: impl Future<Output = Result<Visibility, Error>>,
) -> Result<Shown<HistoryEvent>, Error> {
    at_position(state, params.min_position).await?;
    let visibility = visibility.await?;
    let found = history::find(state.app.pool(), feed_id, seq).await?;
    let event = shown(state, found.into_iter().collect(), visibility).await?.pop();
    event.map(Shown).ok_or_else(|| Error::not_found("event"))
}

/// One event of a project's history.
#[utoipa::path(get, path = "/projects/{project_id}/events/{seq}", tag = "history", operation_id = "getProjectEvent")]
pub async fn project_event(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectEventPath { project_id, seq }: ProjectEventPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<HistoryEvent>, Error> {
    let visibility = project_visibility(&state, caller.identity.account_id, project_id);
    read(&state, project_id.into(), seq, &params, visibility).await
}

/// One event of an organization's history.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/events/{seq}",
    tag = "history",
    operation_id = "getOrganizationEvent"
)]
pub async fn organization_event(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationEventPath { organization_id, seq }: OrganizationEventPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<HistoryEvent>, Error> {
    let member = state.app.organization_for(caller.identity.account_id, organization_id);
    read(&state, organization_id.into(), seq, &params, member.map_ok(|_| Visibility::Whole)).await
}

/// One event of the signed-in account's own history. Not for personal access tokens.
#[utoipa::path(get, path = "/auth/me/events/{seq}", tag = "auth", operation_id = "getAccountEvent")]
pub async fn account_event(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    AccountEventPath { seq }: AccountEventPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<HistoryEvent>, Error> {
    read(&state, caller.identity.account_id.into(), seq, &params, async { Ok(Visibility::Whole) }).await
}
