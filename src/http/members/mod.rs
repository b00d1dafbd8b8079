//! `/projects/{project_id}/members`

pub mod add;
pub mod change_role;
pub mod list;
mod model;
pub mod read;
pub mod remove;

pub use model::{Member, MemberStatus};
