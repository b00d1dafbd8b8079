//! End a schedule. The jobs that it has submitted go on.

use uuid::Uuid;
use workroom_domain::{
    ids::ScheduleId,
    schedule::{Schedule, ScheduleCommand},
};

use super::authorize;
use crate::application::{Command, Error, IfVersion, Unit};

/// End a schedule.
#[derive(Clone, Debug)]
pub struct DeleteSchedule {
    /// The schedule to end.
    pub schedule_id: ScheduleId,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteSchedule {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.schedule_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let schedule = authorize(unit, self.schedule_id).await?;
        self.if_version.check(schedule.state.present()?.version)?;
        Ok(unit.decide::<Schedule>(&schedule, ScheduleCommand::Delete)?.sequence)
    }
}
