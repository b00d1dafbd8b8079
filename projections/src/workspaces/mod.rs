//! Workspaces, and the files in them, as their readers see them.

mod project;
mod query;

pub use project::Workspaces;
pub use query::{FilePage, FileRow, WorkspaceRow, content, contents, files, find, find_file, list};
