//! Jobs as their readers see them.

mod project;
mod query;

pub use project::Jobs;
pub use query::{Due, Filter, JobRow, due, find, list, running};
