//! `/projects`

pub mod create;
pub mod delete;
pub mod list;
mod model;
pub mod purge;
pub mod read;
mod request;
pub mod update;

pub use model::{Priority, Project, ProjectStatus, Role};
