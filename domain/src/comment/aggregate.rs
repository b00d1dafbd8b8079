//! The state of a comment, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CommentCommand, CommentEvent, CommentRefusal};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    change::Change,
    ids::{AccountId, ProjectId, TaskId},
    redaction::{Texts, redactable},
    text::Prose,
};

/// A comment on a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comment {
    /// Not said yet.
    #[default]
    Absent,
    /// The comment exists and can be edited.
    Posted(CommentState),
    /// The comment was deleted, and no other comment can have its id.
    Deleted {
        /// The project it belonged to.
        project_id: ProjectId,
    },
}

/// What is known of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentState {
    /// The task's project.
    pub project_id: ProjectId,
    /// The task that the comment is on. It never changes.
    pub task_id: TaskId,
    /// Who said it.
    pub author_id: AccountId,
    /// What is said.
    pub body: Prose,
}

impl Comment {
    /// What is known of a comment on that task.
    ///
    /// # Errors
    /// [`CommentRefusal::Absent`] before it is said, after it is taken back, and for another task's comment.
    pub fn on(&self, project_id: ProjectId, task_id: TaskId) -> Result<&CommentState, CommentRefusal> {
        match self {
            Self::Posted(state) if (state.project_id, state.task_id) == (project_id, task_id) => Ok(state),
            Self::Absent | Self::Posted(_) | Self::Deleted { .. } => Err(CommentRefusal::Absent),
        }
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Self::Posted(state) = self {
            texts.add("body", state.body.as_str());
        }
    }
}

impl Decide for Comment {
    const TYPE: &'static str = "comment";
    const SHAPE: u32 = 1;
    type Command = CommentCommand;
    type Event = CommentEvent;
    type Refusal = CommentRefusal;

    fn decide(&self, command: CommentCommand) -> Result<Vec<CommentEvent>, CommentRefusal> {
        match (command, self) {
            (CommentCommand::Post { project_id, task_id, author_id, body }, Self::Absent) => {
                Ok(vec![CommentEvent::CommentPosted { project_id, task_id, author_id, body }])
            }
            (CommentCommand::Post { .. }, _) => Err(CommentRefusal::AlreadyExists),
            (CommentCommand::Edit { body }, Self::Posted(state)) => {
                let change = Change::between(&state.body, Some(body));
                let task_id = state.task_id;
                Ok(change.into_iter().map(|body| CommentEvent::CommentEdited { task_id, body }).collect())
            }
            (CommentCommand::Delete, Self::Posted(state)) => {
                Ok(vec![CommentEvent::CommentDeleted { task_id: state.task_id }])
            }
            (CommentCommand::Edit { .. } | CommentCommand::Delete, _) => Err(CommentRefusal::Absent),
        }
    }

    fn evolve(&mut self, event: &CommentEvent) {
        match (event, &mut *self) {
            (CommentEvent::CommentPosted { project_id, task_id, author_id, body }, _) => {
                let (project_id, task_id, author_id) = (*project_id, *task_id, *author_id);
                *self = Self::Posted(CommentState { project_id, task_id, author_id, body: body.clone() });
            }
            (CommentEvent::CommentEdited { body, .. }, Self::Posted(state)) => state.body.clone_from(&body.to),
            (CommentEvent::CommentDeleted { .. }, Self::Posted(state)) => {
                *self = Self::Deleted { project_id: state.project_id };
            }
            (CommentEvent::PayloadRedacted(redacted), Self::Posted(state)) => {
                if redacted.has("body") {
                    state.body = Prose::redacted();
                }
            }
            (
                CommentEvent::CommentEdited { .. }
                | CommentEvent::CommentDeleted { .. }
                | CommentEvent::PayloadRedacted(_),
                _,
            ) => {}
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match self {
            Self::Absent => id,
            Self::Posted(state) => state.project_id.0,
            Self::Deleted { project_id } => project_id.0,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Posted(state) => state.body.as_str().len(),
            Self::Absent | Self::Deleted { .. } => 0,
        }
    }
}

cqrs_aggregate!(Comment);
redactable!(Comment, CommentEvent);
