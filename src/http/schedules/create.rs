//! `POST /schedules`

use axum::{extract::State as Extract, http::StatusCode};
use uuid::Uuid;
use workroom_domain::ids::ScheduleId;

use super::{
    model::{Schedule, row},
    request::{CheckedSchedule, CreateScheduleRequest},
    shortest::Shortest,
};
use crate::{
    application::{
        Error,
        schedules::{CreateSchedule, InsertSchedule, StoreScheduleInput},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, SchedulePath},
        reply::{Created, rendered},
    },
};

/// Have a job submitted again and again: at the minutes of a cron expression, or after equal times. Each run is a job
/// of its own, submitted in the name of who asks.
#[utoipa::path(
    post,
    path = "/schedules",
    tag = "schedules",
    operation_id = "createSchedule",
    responses((status = 404))
)]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    Body { value, bytes }: Body<CreateScheduleRequest>,
) -> Result<Created<Schedule>, Error> {
    let CheckedSchedule { project_id, fields, input, program } =
        value.check(|language| state.languages.contains(language.as_str()), Shortest::of(&state))?;
    let schedule_id = ScheduleId(Uuid::now_v7());
    let command = CreateSchedule { schedule_id, project_id, fields, program };
    let created_by = caller.identity.account_id;
    let input = StoreScheduleInput { schedule_id, input: input.map(Some) };
    let tables = InsertSchedule { project_id, created_by, input };
    let key = key.bind(&state, created_by.into(), &bytes);
    let context = state.app.by_database_clock(&caller.context).await?;
    let now = context.now;
    state
        .app
        .create_with_tables(&context, &command, &tables, key, |created| {
            let location = SchedulePath { schedule_id }.location();
            let schedule = Schedule::from(row(schedule_id, &created.state, now, now));
            rendered(StatusCode::CREATED, Some(location), Some(schedule.version), &schedule)
        })
        .await
        .map(Created::from)
}
