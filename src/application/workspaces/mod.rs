//! Commands on workspaces.

mod create;
mod delete;
mod update;

pub use create::CreateWorkspace;
pub use delete::DeleteWorkspace;
pub use update::{UpdateWorkspace, UpdatedWorkspace};

super::error::from_refusals!(workroom_domain::workspace::WorkspaceRefusal);
