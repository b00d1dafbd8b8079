//! Comments as their readers see them.

mod project;
mod query;

pub use project::Comments;
pub use query::{CommentRow, find, list};
