//! Let a schedule rest that cannot go on in the name of the account that it acts for.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    access::{self, Action, Decision},
    account::{Account, AccountRefusal},
    actor::{Actor, SystemActor},
    ids::ScheduleId,
    project::Project,
    schedule::{Schedule, ScheduleCommand, ScheduleState, Suspension},
    timestamp::Timestamp,
    workspace::Workspace,
};

use super::{
    calendar::Calendar,
    input::{input_of, is_kept},
};
use crate::application::{App, Command, Context, Error, Unit};

/// Let a schedule rest, if it cannot go on.
struct SuspendSchedule {
    schedule_id: ScheduleId,
    /// The run that is due.
    tick_at: Timestamp,
}

impl SuspendSchedule {
    /// Why it cannot go on, if it cannot. The append is guarded by whatever says so in the log.
    async fn reason(&self, unit: &mut Unit<'_>, state: &ScheduleState) -> Result<Option<Suspension>, Error> {
        if let Some(project_id) = state.project_id
            && unit.read::<Project>(project_id).await?.state.active().is_err()
        {
            return Ok(Some(Suspension::ProjectDeleted));
        }
        match unit.read::<Account>(state.acts_for).await?.state.active() {
            Ok(()) => {}
            Err(AccountRefusal::Deactivated) => return Ok(Some(Suspension::AccountDeactivated)),
            Err(_) => return Ok(Some(Suspension::AccountErased)),
        }
        if let Some(project_id) = state.project_id {
            let relation = unit.relation(state.acts_for, project_id, Action::RunJobs).await?;
            if access::decide(relation, Action::RunJobs) != Decision::Allowed {
                return Ok(Some(Suspension::RightLost));
            }
        }
        if Calendar::of(&state.fields, state.counted_from).is_err() {
            return Ok(Some(Suspension::TimeZoneUnknown));
        }
        if let Some(input) = input_of(&state.fields.job.work)
            && !is_kept(unit.pool(), self.schedule_id, input).await?
        {
            return Ok(Some(Suspension::InputLost));
        }
        if let (Some(workspace_id), Some(project_id)) = (state.fields.job.workspace_id, state.project_id)
            && unit.read::<Workspace>(workspace_id).await?.state.of(project_id).is_err()
        {
            return Ok(Some(Suspension::WorkspaceDeleted));
        }
        Ok(None)
    }
}

impl Command for SuspendSchedule {
    type Reply = bool;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<bool, Error> {
        let schedule = unit.read::<Schedule>(self.schedule_id).await?;
        let Ok(state) = schedule.state.present() else { return Ok(false) };
        if state.next_at != Some(self.tick_at) {
            return Ok(false);
        }
        let Some(reason) = self.reason(unit, state).await? else { return Ok(false) };
        unit.decide::<Schedule>(&schedule, ScheduleCommand::Suspend { reason })?;
        Ok(true)
    }
}

impl App {
    /// Lets a schedule rest whose run is due and cannot be made; whether that is so.
    pub(super) async fn suspend(
        &self,
        schedule_id: ScheduleId,
        tick_at: Timestamp,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let context = Context { now, ..Context::new(Actor::System(SystemActor::Reconciler), Uuid::now_v7()) };
        let done = self.run(&context, &SuspendSchedule { schedule_id, tick_at }).await?;
        Ok(done.reply)
    }
}
