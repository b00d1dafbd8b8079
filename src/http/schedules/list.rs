//! `GET /schedules`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::schedules::{self, Owner};

use super::model::Schedule;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query},
        page::{Items, page},
        reply::{List, at_position},
    },
};

/// The query parameters of `GET /schedules`: which schedules to list, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListSchedulesParams {
    /// All schedules of this project; without it, those that belong to the caller alone.
    project_id: Option<Uuid>,
    /// Most items to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Pass over so many items first.
    #[param(minimum = 0, maximum = 100_000)]
    skip: Option<i64>,
    /// Wait, for a bounded time, until the list shows this log position.
    min_position: Option<i64>,
}

/// A project's schedules, or the caller's own, newest first.
#[utoipa::path(
    get,
    path = "/schedules",
    tag = "schedules",
    operation_id = "listSchedules",
    responses((status = 403), (status = 404))
)]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<ListSchedulesParams>,
) -> Result<List<Schedule>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let owner = match params.project_id.map(ProjectId) {
        Some(project_id) => {
            state.app.project_for(account_id, project_id, Action::ViewJobs).await?;
            Owner::Project(project_id)
        }
        None => Owner::Account(account_id),
    };
    let page = page(params.limit, params.cursor.as_deref(), params.skip)?;
    let listed = schedules::list(state.app.pool(), owner, page).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
