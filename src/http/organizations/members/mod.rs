//! `/organizations/{organization_id}/members`

pub mod add;
pub mod change_role;
pub mod list;
pub mod read;
pub mod remove;
