//! Commands on comments.

mod delete;
mod edit;
mod post;

pub use delete::DeleteComment;
pub use edit::{EditComment, EditedComment};
pub use post::{PostComment, PostedComment};

use workroom_domain::ids::{CommentId, ProjectId, TaskId};

super::error::from_refusals!(workroom_domain::comment::CommentRefusal);

/// Where a comment is.
#[derive(Clone, Copy, Debug)]
pub struct CommentPlace {
    /// The task's project.
    pub project_id: ProjectId,
    /// The task that is commented on; it must belong to the project.
    pub task_id: TaskId,
    /// The comment's id; a new one for a comment that is to be posted.
    pub comment_id: CommentId,
}
