//! `/projects/{project_id}/members`: who belongs to a project, as what, and what that allows.

mod add;
mod change_role;
mod list;
mod remove;
