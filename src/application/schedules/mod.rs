//! Commands on schedules: people create, change and delete them; a scheduler ticks them.

pub mod calendar;
mod create;
mod delete;
mod input;
mod remove;
mod slots;
mod suspend;
mod tick;
mod update;

use std::sync::Arc;

use time::OffsetDateTime;

pub use create::CreateSchedule;
pub use delete::DeleteSchedule;
pub use input::StoreScheduleInput;
pub use remove::RemoveSchedule;
pub use slots::InsertSchedule;
pub use tick::Ticked;
pub use update::UpdateSchedule;

use workroom_domain::{
    access::Action,
    ids::{ProjectId, ScheduleId},
    job::Work,
    schedule::{JobTemplate, Schedule, ScheduleState},
    timestamp::Timestamp,
};

use super::{App, Context, Error, Unit, codes::MISSING_FIELD};
use crate::event_store::Versioned;

super::error::from_refusals!(
    workroom_domain::schedule::ScheduleRefusal,
    workroom_domain::schedule::CronRefused,
    workroom_domain::schedule::UnknownTimeZone,
);

/// A schedule as a command has left it.
#[derive(Clone, Debug)]
pub struct DecidedSchedule {
    /// What is known of it.
    pub state: ScheduleState,
    /// Whether anything changed.
    pub changed: bool,
}

/// Insists that a schedule has the project that its jobs need.
///
/// # Errors
/// `Kind::Field`.
pub fn check_project(job: &JobTemplate, project_id: Option<ProjectId>) -> Result<(), Error> {
    if project_id.is_some() {
        return Ok(());
    }
    let detail = match (&job.work, job.workspace_id) {
        (Work::ProjectExport { .. }, _) => "must name the project that is exported, when the schedule is created",
        (_, Some(_)) => "must name the project of the workspace, when the schedule is created",
        (_, None) => return Ok(()),
    };
    Err(Error::invalid("/project_id", MISSING_FIELD, detail))
}

/// Insists that the caller may have jobs run in the project; in their own name anybody may.
///
/// # Errors
/// `Kind::Forbidden`, or `Kind::NotFound` to whom the project does not exist.
async fn authorize_in(unit: &mut Unit<'_>, project_id: Option<ProjectId>) -> Result<(), Error> {
    if let Some(project_id) = project_id {
        unit.authorize(project_id, Action::RunJobs).await?;
    }
    Ok(())
}

/// A schedule that the caller may change.
///
/// # Errors
/// `Kind::NotFound` where the caller may not know of it, `Kind::Forbidden`.
async fn authorize(unit: &mut Unit<'_>, schedule_id: ScheduleId) -> Result<Arc<Versioned<Schedule>>, Error> {
    let schedule = unit.read::<Schedule>(schedule_id).await?;
    let state = schedule.state.present()?;
    match state.project_id {
        Some(project_id) => {
            let admitted = authorize_in(unit, Some(project_id)).await;
            admitted.map_err(|error| error.or_hidden(|| Error::not_found("schedule")))?;
        }
        None if state.created_by == unit.context().account()? => {}
        None => return Err(Error::not_found("schedule")),
    }
    Ok(schedule)
}

impl App {
    /// The same context at the present moment of the database's clock. That decides when schedules run, and so it also
    /// decides what this is counted from: the clock of this process may be wrong.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_database_clock(&self, context: &Context) -> Result<Context, Error> {
        let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&self.pool).await?;
        Ok(Context { now, ..context.clone() })
    }
}

/// The moment of asking, as events keep it.
fn moment(context: &Context) -> Result<Timestamp, Error> {
    Timestamp::new(context.now).map_err(Error::failure)
}
