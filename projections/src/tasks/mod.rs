//! Tasks as their readers see them.

mod project;
mod query;

pub use project::Tasks;
pub use query::{Abandoned, DueCursor, Filter, TaskList, TaskPage, TaskRow, assigned_to_departed, find, list};
