//! The fields of a schedule.

use serde::{Deserialize, Serialize};

use super::{CronExpression, UnknownTimeZone};
use crate::{
    fields::fields,
    ids::WorkspaceId,
    job::{Key, MaxAttempts, Priority, Work},
    text::Name,
};

/// When a schedule runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ScheduleTiming))]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Each minute that the expression names, by the clocks of the schedule's time zone.
    Cron(CronExpression),
    /// Whenever so many seconds have passed, whatever clocks show.
    EverySeconds(EverySeconds),
}

/// The time between two runs: 1 second to 365 days, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(minimum = 1, maximum = 31_536_000))]
#[serde(transparent)]
pub struct EverySeconds(u32);

impl EverySeconds {
    /// The longest, in seconds.
    pub const LIMIT: u32 = 365 * 24 * 3600;

    /// Checks the bounds.
    pub fn from_number(seconds: u32) -> Option<Self> {
        (1..=Self::LIMIT).contains(&seconds).then_some(Self(seconds))
    }

    /// 1 to [`Self::LIMIT`].
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The name of a time zone in the IANA time zone database, such as `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(min_length = 1, max_length = 64))]
#[serde(transparent)]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// Most bytes of a name.
    pub const LIMIT: usize = 64;

    /// Checks that it looks like a name; whether there is such a time zone is for whoever has the database.
    pub fn parse(name: &str) -> Result<Self, UnknownTimeZone> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
        let is_name = (1..=Self::LIMIT).contains(&name.len()) && name.bytes().all(is_known);
        if is_name { Ok(Self(name.to_owned())) } else { Err(UnknownTimeZone) }
    }

    /// The name as the API writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TimeZoneName {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

/// What becomes of runs that nobody was there for: those that are more than a minute late, or whose next one is due
/// as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventMissedRuns))]
#[serde(rename_all = "snake_case")]
pub enum MissedRuns {
    /// None is made up.
    Skip,
    /// One run stands for all of them.
    #[default]
    One,
    /// Each is made up, one after the other, but no more than [`MAX_MADE_UP`](super::MAX_MADE_UP) in a row.
    All,
}

impl MissedRuns {
    /// The policy as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::One => "one",
            Self::All => "all",
        }
    }
}

/// For how long a job is the only one with its key: 1 second to 7 days, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(minimum = 1, maximum = 604_800))]
#[serde(transparent)]
pub struct UniqueSeconds(u32);

impl UniqueSeconds {
    /// The longest, in seconds.
    pub const LIMIT: u32 = 7 * 24 * 3600;

    /// Checks the bounds.
    pub fn from_number(seconds: u32) -> Option<Self> {
        (1..=Self::LIMIT).contains(&seconds).then_some(Self(seconds))
    }

    /// 1 to [`Self::LIMIT`].
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The job that a schedule submits each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobTemplate {
    /// What is to be done.
    pub work: Work,
    /// How often each job may be tried.
    pub max_attempts: MaxAttempts,
    /// How urgent each job is among the jobs of its organization.
    pub priority: Priority,
    /// Of the jobs of a project (or account) with the same key one runs at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key: Option<Key>,
    /// Jobs with different ones take turns, within their organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub fairness_key: Option<Key>,
    /// The workspace whose files each job runs, as they are when it is submitted; `work` names what the program is given
    /// beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub workspace_id: Option<WorkspaceId>,
    /// For so long each job is the only one with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub unique_seconds: Option<UniqueSeconds>,
}

/// Version of the fields' form in snapshots; see [`SHAPE`](crate::Decide::SHAPE).
pub(super) const SHAPE: u32 = 3;

fields! {
    /// Everything a schedule says about itself.
    pub struct ScheduleFields;
    /// The fields to change; `None` leaves one as it is. For the name `Some(None)` clears.
    pub struct SchedulePatch;
    /// The changed fields of a schedule.
    pub struct ScheduleChanges;

    /// What it is called.
    #[schema(required)]
    name: Option<Name>, "Of the name.";
    /// When it runs.
    timing: Timing, "Of when it runs.";
    /// The time zone whose clocks a cron expression goes by.
    time_zone: TimeZoneName, "Of the time zone.";
    /// What becomes of missed runs.
    missed: MissedRuns, "Of what becomes of missed runs.";
    /// Whether it rests until somebody says otherwise.
    paused: bool, "Of whether it rests.";
    /// What it submits each time.
    job: JobTemplate, "Of what it submits.";
}
