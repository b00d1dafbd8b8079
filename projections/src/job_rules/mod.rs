//! Rules for jobs that are in force.

mod project;
mod query;

pub use project::JobRules;
pub use query::{JobRuleRow, all, list};
