//! A run of a schedule is due: its job is submitted, in the name of the account that the schedule acts for, with the
//! event that tells when it runs next. Both are one append, which expects the schedule where it was: of any number of
//! schedulers one submits the job.
//!
//! The job is submitted by the commands that submit those of people, so whatever these insist on holds for each run. Where an
//! earlier job is the only one with its key, or what lies in the workspace cannot be run, the run is passed over, and the event
//! says why: the next one may find otherwise. What will not change by itself suspends the schedule (`suspend.rs`).

use std::sync::atomic::{AtomicBool, Ordering};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::{
    actor::Actor,
    ids::{JobId, ScheduleId},
    refusal::Kind,
    schedule::{JobTemplate, MAX_MADE_UP, MissedRuns, PassedOver, Run, Schedule, ScheduleCommand, ScheduleState, Tick},
    timestamp::Timestamp,
};

use super::{
    authorize_in,
    calendar::Calendar,
    input::{copy, input_of, program_of},
};
use crate::application::{
    App, Change, Command, Context, Error, TableChange, Unit,
    jobs::{OpenJobs, Repeat, SubmitJob, SubmitWorkspaceJob, WorkspaceProgram},
    redaction::codes::FILE_REDACTED,
};

/// A run that is later than this was missed.
const GRACE: Duration = Duration::minutes(1);

/// What came of a run that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticked {
    /// It was run, or passed over.
    Done,
    /// It was made up, and the next one is to be made up as well.
    MadeUp,
    /// The schedule rests from now on: it cannot go on in the name that it has.
    Suspended,
    /// Nothing is due then any more: somebody else has run it, or changed the schedule.
    NotDue,
}

/// What is to be done about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    runs: bool,
    made_up: u32,
    next_at: Option<Timestamp>,
}

impl Plan {
    fn of(state: &ScheduleState, tick_at: Timestamp, now: OffsetDateTime) -> Result<Self, Error> {
        let calendar = Calendar::of(&state.fields, state.counted_from)?;
        let following = calendar.next(tick_at.get());
        let is_missed = now - tick_at.get() > GRACE || following.is_some_and(|next| next.get() <= now);
        if !is_missed {
            return Ok(Self { runs: true, made_up: 0, next_at: following });
        }
        let made_up = state.made_up + 1;
        Ok(match state.fields.missed {
            MissedRuns::Skip => Self { runs: false, made_up: 0, next_at: calendar.next(now) },
            MissedRuns::All if made_up < MAX_MADE_UP => Self { runs: true, made_up, next_at: following },
            MissedRuns::One | MissedRuns::All => Self { runs: true, made_up, next_at: calendar.next(now) },
        })
    }

    /// What has come of the run.
    fn outcome(self, now: OffsetDateTime) -> Ticked {
        let follows = self.next_at.is_some_and(|next| next.get() <= now);
        if self.made_up > 0 && follows { Ticked::MadeUp } else { Ticked::Done }
    }
}

/// The job of a run.
enum Submission {
    /// It works on what the schedule keeps, if on anything.
    Own(Box<SubmitJob>),
    /// Its program lies in a workspace.
    OfWorkspace(Box<SubmitWorkspaceJob>),
}

impl Submission {
    fn new(schedule_id: ScheduleId, state: &ScheduleState, program: Option<WorkspaceProgram>, open: &OpenJobs) -> Self {
        let JobTemplate { work, max_attempts, priority, key, fairness_key, unique_seconds, workspace_id: _ } =
            state.fields.job.clone();
        let window = unique_seconds.map(|seconds| std::time::Duration::from_secs(seconds.number().into()));
        let job = SubmitJob {
            job_id: JobId(Uuid::now_v7()),
            project_id: state.project_id,
            work,
            max_attempts,
            priority,
            run_at: None,
            key,
            repeat: window.map_or(Repeat::Each, Repeat::Unique),
            fairness_key,
            schedule_id: Some(schedule_id),
            // Whoever can do it will.
            can_be_run: true,
            open: open.clone(),
        };
        match program {
            Some(program) => Self::OfWorkspace(Box::new(SubmitWorkspaceJob::new(job, program))),
            None => Self::Own(Box::new(job)),
        }
    }

    /// Submits the job, unless another is the only one with its key, or there is nothing that can be run.
    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Run, Error> {
        let submitted = match self {
            Self::Own(job) => job.decide(unit).await?,
            Self::OfWorkspace(job) => match job.take(unit).await {
                Ok(job) => job.decide(unit).await?,
                Err(error) if is_unfit(&error) => return Ok(Run::PassedOver(PassedOver::WorkspaceUnfit)),
                Err(error) => return Err(error),
            },
        };
        Ok(match submitted.earlier {
            Some(_) => Run::PassedOver(PassedOver::EarlierJob),
            None => Run::Submitted(submitted.job_id),
        })
    }

    /// Keeps what the job works on.
    fn changes(&self, schedule_id: ScheduleId) -> Result<Vec<Change>, Error> {
        match self {
            Self::Own(job) => {
                input_of(&job.work).map(|input| copy(schedule_id, job.job_id, input)).into_iter().collect()
            }
            Self::OfWorkspace(job) => job.changes(),
        }
    }
}

/// Whether what lies in a workspace cannot be run.
fn is_unfit(error: &Error) -> bool {
    matches!(error, Error::Invalid(_)) || error.code() == FILE_REDACTED
}

/// Run what is due, or pass over it.
struct TickSchedule {
    schedule_id: ScheduleId,
    /// Where the schedule was when this was planned.
    sequence: i64,
    tick_at: Timestamp,
    plan: Plan,
    /// The job, where the plan has one.
    job: Option<Submission>,
    /// Whether the last attempt has submitted it.
    is_submitted: AtomicBool,
}

impl Command for TickSchedule {
    type Reply = bool;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<bool, Error> {
        let schedule = unit.read::<Schedule>(self.schedule_id).await?;
        if schedule.sequence != self.sequence {
            return Ok(false);
        }
        let state = schedule.state.present()?;
        let run = if let Some(job) = &self.job {
            job.decide(unit).await?
        } else {
            authorize_in(unit, state.project_id).await?;
            Run::PassedOver(PassedOver::Missed)
        };
        self.is_submitted.store(matches!(run, Run::Submitted(_)), Ordering::Relaxed);
        let Plan { made_up, next_at, .. } = self.plan;
        let tick = Tick { tick_at: self.tick_at, run, made_up, next_at };
        unit.decide::<Schedule>(&schedule, ScheduleCommand::Tick(tick))?;
        Ok(true)
    }
}

/// What the job works on is kept with it; nothing is of a job that was not submitted.
impl TableChange for TickSchedule {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        match &self.job {
            Some(job) if self.is_submitted.load(Ordering::Relaxed) => job.changes(self.schedule_id),
            _ => Ok(Vec::new()),
        }
    }

    fn is_empty(&self) -> bool {
        match &self.job {
            None => true,
            Some(Submission::Own(job)) => input_of(&job.work).is_none(),
            Some(Submission::OfWorkspace(_)) => false,
        }
    }
}

impl App {
    /// Runs what is due of a schedule at a moment, and suspends the schedule where that cannot be done in the name of
    /// the account that it acts for. What the time is now the database says, not this process.
    ///
    /// # Errors
    /// What has to do with neither: it is still due.
    pub async fn tick(
        &self,
        schedule_id: ScheduleId,
        tick_at: Timestamp,
        now: OffsetDateTime,
        open: &OpenJobs,
    ) -> Result<Ticked, Error> {
        let schedule = self.log.reload::<Schedule>(schedule_id.into()).await?;
        let Ok(state) = schedule.state.present() else { return Ok(Ticked::NotDue) };
        if state.next_at != Some(tick_at) || tick_at.get() > now {
            return Ok(Ticked::NotDue);
        }
        let context = Context { now, ..Context::new(Actor::Account(state.acts_for), Uuid::now_v7()) };
        match self.run_due(&context, (schedule_id, schedule.sequence), state, tick_at, open).await {
            Ok(ticked) => Ok(ticked),
            Err(error) if may_need_suspension(&error) => {
                if self.suspend(schedule_id, tick_at, now).await? {
                    Ok(Ticked::Suspended)
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Runs what is due, or passes over it.
    async fn run_due(
        &self,
        context: &Context,
        (schedule_id, sequence): (ScheduleId, i64),
        state: &ScheduleState,
        tick_at: Timestamp,
        open: &OpenJobs,
    ) -> Result<Ticked, Error> {
        let plan = Plan::of(state, tick_at, context.now)?;
        let job = if plan.runs {
            let program = program_of(self.pool(), schedule_id, &state.fields.job).await?;
            Some(Submission::new(schedule_id, state, program, open))
        } else {
            None
        };
        let tick = TickSchedule { schedule_id, sequence, tick_at, plan, job, is_submitted: AtomicBool::new(false) };
        let done = self.run_with_tables(context, &tick, &tick).await?;
        Ok(if done.reply { plan.outcome(context.now) } else { Ticked::NotDue })
    }
}

/// Whether it may be that the schedule cannot go on; what is so, the log says.
fn may_need_suspension(error: &Error) -> bool {
    match error {
        Error::Refused(_) => matches!(error.kind(), Kind::Unauthenticated | Kind::Forbidden | Kind::NotFound),
        Error::Invalid(_) | Error::Overtaken => true,
        Error::Failure(_) => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;
    use workroom_domain::{
        ids::AccountId,
        job::{MaxAttempts, Priority, Work},
        schedule::{CronExpression, EverySeconds, NewSchedule, ScheduleFields, TimeZoneName, Timing},
    };

    use super::*;

    const DUE: OffsetDateTime = datetime!(2026-06-01 00:10 UTC);

    fn at(at: OffsetDateTime) -> Timestamp {
        Timestamp::new(at).unwrap()
    }

    fn state(timing: Timing, missed: MissedRuns) -> ScheduleState {
        let job = JobTemplate {
            work: Work::Noop {},
            max_attempts: MaxAttempts::default(),
            priority: Priority::default(),
            key: None,
            fairness_key: None,
            workspace_id: None,
            unique_seconds: None,
        };
        let time_zone = TimeZoneName::default();
        ScheduleState::from(&NewSchedule {
            project_id: None,
            created_by: AccountId(Uuid::from_u128(1)),
            fields: ScheduleFields { name: None, timing, time_zone, missed, paused: false, job },
            counted_from: at(datetime!(2026-06-01 00:00 UTC)),
            next_at: Some(at(DUE)),
        })
    }

    fn each_ten_minutes(missed: MissedRuns) -> ScheduleState {
        state(Timing::Cron(CronExpression::parse("*/10 * * * *").unwrap()), missed)
    }

    fn plan(state: &ScheduleState, now: OffsetDateTime) -> Plan {
        Plan::of(state, at(DUE), now).unwrap()
    }

    #[test]
    fn what_is_in_time_is_run_whatever_becomes_of_missed_ones() {
        for missed in [MissedRuns::Skip, MissedRuns::One, MissedRuns::All] {
            let expected = Plan { runs: true, made_up: 0, next_at: Some(at(datetime!(2026-06-01 00:20 UTC))) };
            assert_eq!(plan(&each_ten_minutes(missed), DUE + Duration::seconds(60)), expected, "{missed:?}");
        }
    }

    #[test]
    fn what_was_missed_is_made_up_as_the_schedule_says() {
        let now = datetime!(2026-06-01 00:55 UTC);
        let (following, future) = (at(datetime!(2026-06-01 00:20 UTC)), at(datetime!(2026-06-01 01:00 UTC)));
        for (missed, runs, made_up, next) in [
            (MissedRuns::Skip, false, 0, future),
            (MissedRuns::One, true, 1, future),
            (MissedRuns::All, true, 1, following),
        ] {
            assert_eq!(plan(&each_ten_minutes(missed), now), Plan { runs, made_up, next_at: Some(next) }, "{missed:?}");
        }
    }

    #[test]
    fn no_more_than_so_many_are_made_up_in_a_row() {
        let mut state = state(Timing::EverySeconds(EverySeconds::from_number(1).unwrap()), MissedRuns::All);
        state.made_up = MAX_MADE_UP - 2;
        let now = DUE + Duration::hours(1) + Duration::milliseconds(500);
        let almost = plan(&state, now);
        assert_eq!(almost.next_at, Some(at(DUE + Duration::seconds(1))));
        state.made_up = almost.made_up;
        let last = plan(&state, now);
        assert_eq!((last.runs, last.next_at), (true, Some(at(DUE + Duration::hours(1) + Duration::seconds(1)))));
    }

    #[test]
    fn what_is_made_up_tells_whether_more_is_to_be() {
        let now = datetime!(2026-06-01 00:55 UTC);
        for (missed, outcome) in
            [(MissedRuns::Skip, Ticked::Done), (MissedRuns::One, Ticked::Done), (MissedRuns::All, Ticked::MadeUp)]
        {
            assert_eq!(plan(&each_ten_minutes(missed), now).outcome(now), outcome, "{missed:?}");
        }
        // The last one of many.
        let now = DUE + Duration::minutes(9);
        assert_eq!(plan(&each_ten_minutes(MissedRuns::All), now).outcome(now), Ticked::Done);
    }

    #[test]
    fn a_run_whose_next_one_is_due_was_missed() {
        let state = state(Timing::EverySeconds(EverySeconds::from_number(1).unwrap()), MissedRuns::Skip);
        assert!(plan(&state, DUE + Duration::milliseconds(999)).runs);
        assert!(!plan(&state, DUE + Duration::seconds(1)).runs);
    }
}
