//! Projects as their readers see them.

mod project;
mod query;

pub use project::Projects;
pub use query::{Filter, Found, ProjectRow, RELATION, find, list};
