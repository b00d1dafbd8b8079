//! `/projects/{project_id}/workspaces`

pub mod create;
pub mod delete;
pub mod list;
mod model;
pub mod read;
pub mod update;

pub use model::Workspace;
