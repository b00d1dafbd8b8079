//! Members of projects as their readers see them.

mod project;
mod query;

pub use project::Members;
pub use query::{MemberRow, Roster, find, first_owner, projects_of, roster};
