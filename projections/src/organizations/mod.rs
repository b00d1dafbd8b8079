//! Organizations and their members as their readers see them.

mod project;
mod query;

pub use project::Organizations;
pub use query::{Found, OrganizationMemberRow, OrganizationRow, find, find_member, list, members, shared_by};
