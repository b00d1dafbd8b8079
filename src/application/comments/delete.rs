//! Delete a comment: one's own, or, as an owner, any.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    comment::{Comment, CommentCommand},
    task::Task,
};

use super::CommentPlace;
use crate::application::{Command, Error, IfVersion, Unit};

/// Delete a comment.
#[derive(Clone, Debug)]
pub struct DeleteComment {
    /// The comment to delete, with the task and the project that it must belong to.
    pub place: CommentPlace,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteComment {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.comment_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let CommentPlace { project_id, task_id, comment_id } = self.place;
        unit.authorize(project_id, Action::EditTasks).await?;
        unit.read::<Task>(task_id).await?.state.of(project_id)?;
        let comment = unit.read::<Comment>(comment_id).await?;
        if comment.state.on(project_id, task_id)?.author_id != unit.context().account()? {
            unit.authorize(project_id, Action::ModerateComments).await?;
        }
        self.if_version.check(comment.sequence)?;
        Ok(unit.decide(&comment, CommentCommand::Delete)?.sequence)
    }
}
