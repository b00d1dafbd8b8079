//! A schedule: a job that is submitted again and again, by the calendar or after equal times.
//!
//! `ScheduleCreated → ScheduleTicked → ScheduleTicked → …`. Each tick tells when the next one is due, so that whoever
//! folds the events needs neither a calendar nor time zones. Of two schedulers that tick at the same time the
//! expected sequence lets one win. A tick acts for an account; has that lost its right, the service suspends the
//! schedule, until somebody resumes it in their own name. A tick without a job says why it has none.

mod aggregate;
mod command;
mod cron;
mod event;
mod fields;
pub(crate) mod refusal;

pub use aggregate::{MAX_MADE_UP, Schedule, ScheduleState};
pub use command::{Run, ScheduleCommand, Tick, Update};
pub use cron::{Cron, CronExpression, Minute};
pub use event::{NewSchedule, PassedOver, ScheduleEvent, ScheduleUpdate, Suspension};
pub use fields::{
    EverySeconds, JobTemplate, MissedRuns, ScheduleChanges, ScheduleFields, SchedulePatch, TimeZoneName, Timing,
    UniqueSeconds,
};
pub use refusal::{CronRefused, ScheduleRefusal, UnknownTimeZone};
