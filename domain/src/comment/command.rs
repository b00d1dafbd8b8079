//! What may be asked of a comment.

use crate::{
    ids::{AccountId, ProjectId, TaskId},
    text::Prose,
};

/// What may be asked of a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommentCommand {
    /// Write the comment on a task.
    Post {
        /// The task's project.
        project_id: ProjectId,
        /// The task that the comment is on.
        task_id: TaskId,
        /// Who says it.
        author_id: AccountId,
        /// What is said.
        body: Prose,
    },
    /// Say it otherwise.
    Edit {
        /// What is said now.
        body: Prose,
    },
    /// Take it back; its history stays.
    Delete,
}
