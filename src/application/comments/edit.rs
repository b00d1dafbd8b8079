//! Say a comment of one's own otherwise.

use uuid::Uuid;
use workroom_domain::{
    access::Action,
    comment::{Comment, CommentCommand},
    task::Task,
    text::Prose,
};

use super::CommentPlace;
use crate::application::{Command, Error, IfVersion, Unit};

/// Say a comment of one's own otherwise.
#[derive(Clone, Debug)]
pub struct EditComment {
    /// Where.
    pub place: CommentPlace,
    /// What is said now.
    pub body: Prose,
    /// The version that the change is meant for, if the caller insists on one.
    pub if_version: IfVersion,
}

impl Command for EditComment {
    /// Sequence of its last event.
    type Reply = i64;

    fn contended(&self) -> Option<Uuid> {
        Some(self.place.comment_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let CommentPlace { project_id, task_id, comment_id } = self.place;
        unit.authorize(project_id, Action::EditTasks).await?;
        unit.read::<Task>(task_id).await?.state.of(project_id)?;
        let comment = unit.read::<Comment>(comment_id).await?;
        let state = comment.state.on(project_id, task_id)?;
        if state.author_id != unit.context().account()? {
            return Err(Error::Forbidden);
        }
        self.if_version.check(comment.sequence)?;
        Ok(unit.decide(&comment, CommentCommand::Edit { body: self.body.clone() })?.sequence)
    }
}
