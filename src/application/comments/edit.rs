//! Say a comment of one's own otherwise.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    comment::{Comment, CommentCommand, CommentState},
    task::Task,
    text::Prose,
};

use super::CommentPlace;
use crate::application::codes::FORBIDDEN;
use crate::application::{Command, Error, IfVersion, Unit};

/// Say a comment of one's own otherwise.
#[derive(Clone, Debug)]
pub struct EditComment {
    /// The comment to change; its author alone may change it.
    pub place: CommentPlace,
    /// What is said now.
    pub body: Prose,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

/// A comment as it stands after the change.
#[derive(Clone, Debug)]
pub struct EditedComment {
    /// What is known of it.
    pub state: CommentState,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
}

impl Command for EditComment {
    type Reply = EditedComment;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.comment_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<EditedComment, Error> {
        let CommentPlace { project_id, task_id, comment_id } = self.place;
        unit.authorize(project_id, Action::EditTasks).await?;
        unit.read::<Task>(task_id).await?.state.of(project_id)?;
        let comment = unit.read::<Comment>(comment_id).await?;
        let state = comment.state.on(project_id, task_id)?;
        if state.author_id != unit.context().account()? {
            return Err(FORBIDDEN.into());
        }
        self.if_version.check(comment.sequence)?;
        let edited = unit.decide(&comment, CommentCommand::Edit { body: self.body.clone() })?;
        let state = edited.state.on(project_id, task_id)?.clone();
        Ok(EditedComment { state, version: edited.sequence, changed: edited.sequence != comment.sequence })
    }
}
