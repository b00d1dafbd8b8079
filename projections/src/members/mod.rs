//! Members of projects as their readers see them.

mod project;
mod query;

pub use project::Members;
pub use query::{
    MemberList, MemberRow, erased, find, find_with_version, first_owner, list, outsiders, owned_alone, projects_of,
};
