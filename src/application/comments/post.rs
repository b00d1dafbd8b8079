//! Comment on a task.

use workroom_domain::{
    access::Action,
    comment::{Comment, CommentCommand},
    task::Task,
    text::Prose,
};
use workroom_projections::accounts::{self, AccountRow};

use super::CommentPlace;
use crate::application::{Command, Error, Unit};

/// Comment on a task.
#[derive(Clone, Debug)]
pub struct PostComment {
    /// Where; its id is new.
    pub place: CommentPlace,
    /// What is said.
    pub body: Prose,
}

/// Something was said.
#[derive(Clone, Debug)]
pub struct PostedComment {
    /// Who said it.
    pub author: Option<AccountRow>,
    /// Sequence of its last event.
    pub version: i64,
}

impl Command for PostComment {
    type Reply = PostedComment;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<PostedComment, Error> {
        let CommentPlace { project_id, task_id, comment_id } = self.place;
        unit.authorize(project_id, Action::EditTasks).await?;
        let author_id = unit.context().account()?;
        unit.read::<Task>(task_id).await?.state.of(project_id)?;
        let author = accounts::find(unit.pool(), author_id.into()).await?;
        let post = CommentCommand::Post { project_id, task_id, author_id, body: self.body.clone() };
        let comment = unit.decide::<Comment>(&Unit::new_aggregate(comment_id), post)?;
        Ok(PostedComment { author, version: comment.sequence })
    }
}
