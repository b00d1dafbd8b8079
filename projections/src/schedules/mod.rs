//! Schedules as their readers see them, and when each runs next.

mod project;
mod query;

pub use project::Schedules;
pub use query::{DueSchedule, Owner, ScheduleRow, due, find, first_due, list};
