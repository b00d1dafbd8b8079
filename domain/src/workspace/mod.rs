//! A workspace: a room inside a project, and the tree of the files that are edited in it.

mod aggregate;
mod command;
mod event;
mod path;
pub mod refusal;

pub use aggregate::{Workspace, WorkspaceFile, WorkspaceState, redacted_file};
pub use command::{WorkspaceCommand, WorkspacePatch};
pub use event::{WorkspaceChanges, WorkspaceEvent};
pub use path::{FilePath, PathRefused};
pub use refusal::WorkspaceRefusal;
