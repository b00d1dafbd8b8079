//! What can have happened to a comment.

use serde::{Deserialize, Serialize};

use crate::{
    change::Change,
    event::domain_event,
    ids::{AccountId, ProjectId, TaskId},
    redaction::PayloadRedacted,
    text::Prose,
};

/// What can have happened to a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum CommentEvent {
    /// Something was said.
    CommentPosted {
        /// The task's project.
        project_id: ProjectId,
        /// The id of the task that the comment is on.
        task_id: TaskId,
        /// Who said it.
        author_id: AccountId,
        /// What was said.
        body: Prose,
    },
    /// It was said otherwise.
    CommentEdited {
        /// The id of the task that the comment is on, the same as in `CommentPosted`.
        task_id: TaskId,
        /// What was said, before and after.
        #[cfg_attr(feature = "openapi", schema(value_type = crate::change::ProseChange))]
        body: Change<Prose>,
    },
    /// It was taken back; nothing follows.
    CommentDeleted {
        /// The id of the task that the comment was on, the same as in `CommentPosted`.
        task_id: TaskId,
    },
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(CommentEvent {
    CommentPosted => "1",
    CommentEdited => "1",
    CommentDeleted => "1",
    PayloadRedacted => "1",
});
