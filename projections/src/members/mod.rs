//! Members of projects as their readers see them.

mod project;
mod query;

pub use project::Members;
pub use query::{
    MemberRow, Roster, erased, find, find_with_version, first_owner, outsiders, owned_alone, projects_of, roster,
};
