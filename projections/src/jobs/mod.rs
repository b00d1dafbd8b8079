//! Jobs as their readers see them.

mod project;
mod query;

pub use project::Jobs;
pub use query::{Due, Filter, JobRow, count_due, due, find, list, open_in_deleted, running};
