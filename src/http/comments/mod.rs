//! `/projects/{project_id}/tasks/{task_id}/comments`

pub mod delete;
pub mod edit;
pub mod list;
mod model;
pub mod post;
pub mod read;

pub use model::Comment;
