//! Change a schedule, and let it go on if it was suspended.

use uuid::Uuid;
use workroom_domain::{
    ids::ScheduleId,
    schedule::{Schedule, ScheduleCommand, SchedulePatch, ScheduleState, Update},
    timestamp::Timestamp,
};

use super::{DecidedSchedule, authorize, calendar::Calendar, check_project, moment};
use crate::application::{Command, Error, IfVersion, Unit, jobs::WorkspaceProgram};

/// Change a schedule. `paused: false` also lets one go on that was suspended, in the name of the caller.
#[derive(Clone, Debug)]
pub struct UpdateSchedule {
    /// The schedule to change.
    pub schedule_id: ScheduleId,
    /// The fields to change.
    pub patch: SchedulePatch,
    /// The program of the new job, where that lies in a workspace.
    pub program: Option<WorkspaceProgram>,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl UpdateSchedule {
    fn resumes(&self) -> bool {
        self.patch.paused == Some(false)
    }

    /// When it runs next. Where neither its times change nor it begins to run again, that is when it would have run
    /// anyway.
    fn next_at(&self, state: &ScheduleState, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let fields = state.patched(self.patch.clone());
        let is_same = (&fields.timing, &fields.time_zone) == (&state.fields.timing, &state.fields.time_zone);
        if is_same && state.next_at.is_some() {
            return Ok(state.next_at);
        }
        let counted_from = if fields.timing == state.fields.timing { state.counted_from } else { now };
        Ok(Calendar::of(&fields, counted_from)?.next(now.get()))
    }
}

impl Command for UpdateSchedule {
    type Reply = DecidedSchedule;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.schedule_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<DecidedSchedule, Error> {
        let schedule = authorize(unit, self.schedule_id).await?;
        let state = schedule.state.present()?;
        self.if_version.check(state.version)?;
        if let Some(job) = &self.patch.job {
            check_project(job, state.project_id)?;
        }
        if let Some(program) = &self.program {
            program.check(unit, state.project_id).await?;
        }
        let (at, by) = (moment(unit.context())?, unit.context().account()?);
        let next_at = self.next_at(state, at)?;
        let update = Update { patch: self.patch.clone(), by, resumes: self.resumes(), at, next_at };
        let updated = unit.decide::<Schedule>(&schedule, ScheduleCommand::Update(Box::new(update)))?;
        let changed = updated.sequence != schedule.sequence;
        Ok(DecidedSchedule { state: updated.state.present()?.clone(), changed })
    }
}
