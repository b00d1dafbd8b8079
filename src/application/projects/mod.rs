//! Commands on projects.

mod create;
mod delete;
mod update;

pub use create::{CreateProject, CreatedProject};
pub use delete::DeleteProject;
pub use update::{UpdateProject, UpdatedProject};

super::error::from_refusals!(workroom_domain::project::ProjectRefusal);
