//! `DELETE /schedules/{schedule_id}`

use axum::extract::State as Extract;

use crate::{
    application::{
        Error,
        schedules::{DeleteSchedule, RemoveSchedule},
    },
    http::{
        State,
        extract::{Caller, IfMatch, SchedulePath},
        reply::Deleted,
    },
};

/// End a schedule. The jobs that it has submitted go on.
#[utoipa::path(delete, path = "/schedules/{schedule_id}", tag = "schedules", operation_id = "deleteSchedule")]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    SchedulePath { schedule_id }: SchedulePath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let command = DeleteSchedule { schedule_id, if_version };
    let tables = RemoveSchedule(schedule_id);
    let done = state.app.run_with_tables(&caller.context, &command, &tables).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
