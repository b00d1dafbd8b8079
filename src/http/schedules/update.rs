//! `PATCH /schedules/{schedule_id}`

use axum::extract::State as Extract;
use workroom_domain::{Decide, schedule};
use workroom_projections::schedules;

use super::{
    model::{Schedule, row},
    request::{CheckedPatch, UpdateScheduleRequest},
    shortest::Shortest,
};
use crate::{
    application::{
        Error,
        schedules::{DecidedSchedule, StoreScheduleInput, UpdateSchedule},
    },
    http::{
        State,
        beside::{self, Before},
        extract::{Caller, IfMatch, Json, SchedulePath},
        reply::Updated,
    },
};

const SCHEDULE: &str = schedule::Schedule::TYPE;

/// Change the given fields of a schedule. Who changes what is run or when, or lets it go on, is who it acts for from
/// then on. `paused: false` also lets a suspended one go on.
#[utoipa::path(
    method(patch, put),
    path = "/schedules/{schedule_id}",
    tag = "schedules",
    operation_id = "updateSchedule"
)]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    SchedulePath { schedule_id }: SchedulePath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateScheduleRequest>,
) -> Result<Updated<Schedule>, Error> {
    let CheckedPatch { patch, input, program } =
        request.check(|language| state.languages.contains(language.as_str()), Shortest::of(&state))?;
    let caller = Caller { context: state.app.by_database_clock(&caller.context).await?, ..caller };
    let command = UpdateSchedule { schedule_id, patch, program, if_version };
    let tables = StoreScheduleInput { schedule_id, input };
    let look = schedules::find(state.app.pool(), schedule_id);
    let before = Before::read(&caller, look, state.app.creation(SCHEDULE, schedule_id.into())).await?;
    let done = state.app.run_with_tables(&caller.context, &command, &tables).await?;
    let DecidedSchedule { state: decided, changed } = done.reply;
    let log = beside::cause(&state, SCHEDULE, schedule_id.into(), decided.version);
    let updated_at = before.last_change(&caller, changed, decided.version, log).await?.at;
    let schedule = Schedule::from(row(schedule_id, &decided, before.creation.at, updated_at));
    Ok(Updated::new(done.position, done.visible, schedule.version, &schedule))
}
