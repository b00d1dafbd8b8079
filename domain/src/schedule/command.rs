//! What may be asked of a schedule.

use super::{NewSchedule, PassedOver, SchedulePatch, Suspension};
use crate::{
    ids::{AccountId, JobId},
    timestamp::Timestamp,
};

/// What may be asked of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleCommand {
    /// Begin it.
    Create(Box<NewSchedule>),
    /// Change it, and resume it if that is wanted.
    Update(Box<Update>),
    /// A run is due: its job is submitted, or the run is passed over.
    Tick(Tick),
    /// Let it rest until somebody resumes it in their own name: it cannot go on in the name that it has.
    Suspend {
        /// Why it cannot go on.
        reason: Suspension,
    },
    /// End it; its history stays.
    Delete,
}

/// Change a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The fields to change.
    pub patch: SchedulePatch,
    /// Who changes it. It acts for them if they change what is run or when, let it go on, or resume it.
    pub by: AccountId,
    /// Whether it is to go on if it was suspended.
    pub resumes: bool,
    /// The present moment; a new interval is counted from it.
    pub at: Timestamp,
    /// When it runs next, if it then runs at all.
    pub next_at: Option<Timestamp>,
}

/// A run is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When it was due. It must be the next run of the schedule.
    pub tick_at: Timestamp,
    /// What becomes of it.
    pub run: Run,
    /// How many missed runs in a row were made up, this one included; 0 where it is not missed.
    pub made_up: u32,
    /// When the schedule runs next; none where it never does.
    pub next_at: Option<Timestamp>,
}

/// What becomes of a run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// This job is submitted with it.
    Submitted(JobId),
    /// No job is.
    PassedOver(PassedOver),
}
