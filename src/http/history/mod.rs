//! `/projects/{project_id}/events`, `/organizations/{organization_id}/events` and `/auth/me/events`: the ordered history of a
//! feed.

pub mod export;
mod item;
pub mod proof;
pub mod read;
pub mod redact;

use axum::extract::State as Extract;
use futures::TryFutureExt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::Action,
    comment::Comment,
    ids::{AccountId, ProjectId},
    project::Project,
    task::Task,
};
use workroom_projections::history::{self, Filter, stored_actor};

pub use item::{ActorStatus, HistoryEvent};

use super::{
    State,
    extract::{AccountOwner, Caller, OrganizationPath, ProjectPath, Query},
    page,
    reply::{Shown, at_position},
};
use crate::application::Error;
use crate::application::codes::{MALFORMED_CURSOR, OUT_OF_RANGE};

/// The query parameters of a history: which events to list, and which part of the list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HistoryParams {
    /// Only events behind this place in the feed.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Only events before this place in the feed.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Only events of this type, such as `MemberAdded`.
    r#type: Option<String>,
    /// Only events that this account caused (its id), or this part of the service (`system:worker`).
    actor: Option<String>,
    /// Only events recorded at this time or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    from: Option<OffsetDateTime>,
    /// Only events recorded before this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    to: Option<OffsetDateTime>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Pass over so many items first.
    #[param(minimum = 0, maximum = 100_000)]
    skip: Option<i64>,
    /// Most items to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Wait, for a bounded time, until the log has reached this position.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// A part of a feed, in its order.
#[derive(Serialize, ToSchema)]
#[schema(as = EventList)]
pub struct History {
    /// The events of this page, in the order of the feed.
    items: Vec<HistoryEvent>,
    /// Where to go on: pass it as `after`; null at the end.
    next_after: Option<i64>,
    /// The same as a string, as in other lists; null at the end.
    next_cursor: Option<String>,
}

/// How much of a feed its reader may see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    Whole,
    /// Of members and jobs that something happened, but not what: visitors of a public project see its history, not its
    /// members and jobs.
    Visitor,
}

/// The aggregates that visitors see.
pub(super) const SEEN_BY_VISITORS: [&str; 3] = [Project::TYPE, Task::TYPE, Comment::TYPE];

/// A history goes on behind a place in its feed.
fn decode(cursor: &str) -> Result<i64, Error> {
    let seq = cursor.parse().ok().filter(|seq| *seq >= 0);
    seq.ok_or_else(|| Error::invalid("/cursor", MALFORMED_CURSOR, "is not a cursor of this list"))
}

/// Reads a part of a feed, once it is known how much of it its reader may see: a history may be long.
async fn list(
    state: &State,
    feed_id: Uuid,
    params: HistoryParams,
    visibility: impl Future<Output = Result<Visibility, Error>>,
) -> Result<Shown<History>, Error> {
    let limit = page::limit(params.limit)?;
    let skip = page::skip(params.skip)?;
    let cursor = params.cursor.as_deref().map(decode).transpose()?;
    for (pointer, bound) in [("/after", params.after), ("/before", params.before)] {
        if bound.is_some_and(i64::is_negative) {
            return Err(Error::invalid(pointer, OUT_OF_RANGE, "must not be negative"));
        }
    }
    at_position(state, params.min_position).await?;
    let filter = Filter {
        after: params.after.max(cursor),
        before: params.before,
        event_type: params.r#type,
        actor: params.actor.as_deref().map(|actor| stored_actor(actor).into_owned()),
        from: params.from,
        to: params.to,
        skip,
    };
    let visibility = visibility.await?;
    let mut rows = history::list(state.app.pool(), feed_id, &filter, limit + 1).await?;
    let page_size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > page_size;
    rows.truncate(page_size);
    let next_after = rows.last().map(|row| row.feed_seq).filter(|_| more);
    let items = item::shown(state, rows, visibility).await?;
    Ok(Shown(History { items, next_after, next_cursor: next_after.map(|seq| seq.to_string()) }))
}

/// A project's history, in the order in which it happened. That of a deleted project stays open to who owned it.
#[utoipa::path(get, path = "/projects/{project_id}/events", tag = "history", operation_id = "listProjectEvents")]
pub async fn project_events(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<HistoryParams>,
) -> Result<Shown<History>, Error> {
    let visibility = project_visibility(&state, caller.identity.account_id, project_id);
    list(&state, project_id.into(), params, visibility).await
}

/// How much of a project's feed an account may see.
pub(super) async fn project_visibility(
    state: &State,
    account_id: AccountId,
    project_id: ProjectId,
) -> Result<Visibility, Error> {
    match state.app.project_or_former(account_id, project_id, Action::ViewHistory).await? {
        Some(project) if !project.relation.reads_whole_history() => Ok(Visibility::Visitor),
        _ => Ok(Visibility::Whole),
    }
}

/// An organization's history, in the order in which it happened.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/events",
    tag = "history",
    operation_id = "listOrganizationEvents"
)]
pub async fn organization_events(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    Query(params): Query<HistoryParams>,
) -> Result<Shown<History>, Error> {
    let member = state.app.organization_for(caller.identity.account_id, organization_id);
    list(&state, organization_id.into(), params, member.map_ok(|_| Visibility::Whole)).await
}

/// The signed-in account's own history: registration, sign-ins, and the jobs that belong to no project. Not for personal access
/// tokens.
#[utoipa::path(get, path = "/auth/me/events", tag = "auth", operation_id = "listAccountEvents")]
pub async fn account_events(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    Query(params): Query<HistoryParams>,
) -> Result<Shown<History>, Error> {
    list(&state, caller.identity.account_id.into(), params, async { Ok(Visibility::Whole) }).await
}
