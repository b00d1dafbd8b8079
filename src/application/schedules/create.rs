//! Begin to have a job done again and again.

use workroom_domain::{
    ids::{ProjectId, ScheduleId},
    schedule::{NewSchedule, Schedule, ScheduleCommand, ScheduleFields},
};

use super::{DecidedSchedule, authorize_in, calendar::Calendar, moment};
use crate::application::{Command, Error, Unit, jobs::WorkspaceProgram};

/// Begin to have a job done again and again.
#[derive(Clone, Debug)]
pub struct CreateSchedule {
    /// The new schedule's id.
    pub schedule_id: ScheduleId,
    /// The project it is to belong to; without one it belongs to the caller alone.
    pub project_id: Option<ProjectId>,
    /// What it says about itself.
    pub fields: ScheduleFields,
    /// The program of its jobs, where that lies in a workspace.
    pub program: Option<WorkspaceProgram>,
}

impl Command for CreateSchedule {
    type Reply = DecidedSchedule;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<DecidedSchedule, Error> {
        let (project_id, created_by) = (self.project_id, unit.context().account()?);
        authorize_in(unit, project_id).await?;
        if let Some(program) = &self.program {
            program.check(unit, project_id).await?;
        }
        let counted_from = moment(unit.context())?;
        let fields = self.fields.clone();
        let next_at = Calendar::of(&fields, counted_from)?.next(counted_from.get());
        let new = NewSchedule { project_id, created_by, fields, counted_from, next_at };
        let create = ScheduleCommand::Create(Box::new(new));
        let schedule = unit.decide::<Schedule>(&Unit::new_aggregate(self.schedule_id), create)?;
        Ok(DecidedSchedule { state: schedule.state.present()?.clone(), changed: true })
    }
}
