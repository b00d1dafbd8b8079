//! `GET /schedules/{schedule_id}`

use axum::extract::State as Extract;
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::schedules;

use super::model::Schedule;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Query, SchedulePath},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One schedule, and when it runs next.
#[utoipa::path(
    get,
    path = "/schedules/{schedule_id}",
    tag = "schedules",
    operation_id = "getSchedule",
    responses((status = 403))
)]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    SchedulePath { schedule_id }: SchedulePath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Schedule>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let row = schedules::find(state.app.pool(), schedule_id).await?.ok_or(Error::not_found("schedule"))?;
    match row.project_id {
        Some(project_id) => {
            let seen = state.app.project_for(account_id, ProjectId(project_id), Action::ViewJobs).await;
            seen.map_err(|error| error.or_hidden(|| Error::not_found("schedule")))?;
        }
        None if row.created_by == Uuid::from(account_id) => {}
        None => return Err(Error::not_found("schedule")),
    }
    // Its next runs go on as time does.
    OkOrNotModified::new(&known, row.version, Representation::ByContent, &Schedule::from(row))
}
