//! Why a schedule may say no.

use super::CronExpression;
use crate::refusal::{self, Code, Refusal};

crate::codes! {
    TOO_MANY_SCHEDULES = "too-many-schedules", Conflict,
        "the project, or the account, has as many schedules as it can",
        "delete some that are not needed";
    NOT_A_CRON_EXPRESSION = "not-a-cron-expression", Field,
        "the text is not a cron expression of five fields",
        "correct it; the detail names what is wrong with it";
    NEVER_RUNS = "never-runs", Field,
        "the cron expression names no day that there is",
        "correct the days and months";
    UNKNOWN_TIME_ZONE = "unknown-time-zone", Field,
        "there is no time zone of this name",
        "give a name of the IANA time zone database, such as `Europe/Berlin`";
}

/// Why a schedule may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleRefusal {
    /// There is no such schedule, or no longer.
    #[error("there is no such schedule")]
    Absent,
    /// The id is taken.
    #[error("the schedule exists already")]
    AlreadyExists,
    /// No run is due at this time: it was run, or the schedule has changed.
    #[error("the schedule has no such run now")]
    NotDue,
    /// There are as many as there may be.
    #[error("there are {limit} schedules already, and there may be no more")]
    TooMany {
        /// How many there may be.
        limit: i64,
    },
}

impl Refusal for ScheduleRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            // Only schedulers meet these; to whoever else does, the schedule is being changed by one.
            Self::AlreadyExists | Self::NotDue => refusal::CONTENDED,
            Self::TooMany { .. } => TOO_MANY_SCHEDULES,
        }
    }
}

/// Why a cron expression was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronRefused {
    /// Not five fields, and no name of an expression.
    #[error(
        "must have five fields (minute, hour, day of the month, month, day of the week), or be a name such as `@daily`"
    )]
    Fields,
    /// An item of a field that it does not take.
    #[error("`{item}` is nothing that the {field} can be")]
    Item {
        /// The field.
        field: &'static str,
        /// The item, as it was given.
        item: String,
    },
    /// More bytes than an expression may have.
    #[error("must be at most {} bytes long", CronExpression::LIMIT)]
    TooLong,
    /// No calendar has such a day.
    #[error("names no day that there is")]
    Never,
}

impl Refusal for CronRefused {
    fn code(&self) -> &'static Code {
        match self {
            Self::Fields | Self::Item { .. } => NOT_A_CRON_EXPRESSION,
            Self::TooLong => refusal::TOO_LONG,
            Self::Never => NEVER_RUNS,
        }
    }

    fn field(&self) -> Option<&'static str> {
        Some("/cron")
    }
}

/// There is no time zone of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone of this name")]
pub struct UnknownTimeZone;

impl Refusal for UnknownTimeZone {
    fn code(&self) -> &'static Code {
        UNKNOWN_TIME_ZONE
    }

    fn field(&self) -> Option<&'static str> {
        Some("/time_zone")
    }
}
