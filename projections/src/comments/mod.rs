//! Comments as their readers see them.

mod project;
mod query;

pub use project::Comments;
pub use query::{CommentRow, Included, find, first_of_each, list};
