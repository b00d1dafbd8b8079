//! Projects as their readers see them.

mod project;
mod query;

pub use project::Projects;
pub use query::{Filter, Founding, ProjectRow, STANDING, any_in, find, founding, list};
