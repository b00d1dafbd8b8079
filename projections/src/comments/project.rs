//! Folds comment events into `views.comments`. The comments of a task go with it.

use workroom_domain::{
    Decide,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    redaction::Placeholder,
    task::{Task, TaskEvent},
};

use crate::{
    Projection,
    changes::{At, Changes, Table},
    log::Recorded,
};

/// The projection behind `views.comments`.
pub struct Comments;

const COMMENTS: Table = Table::new("comments", &["id"]).part_of("task_id");

impl Projection for Comments {
    fn tables(&self) -> &'static [Table] {
        &[COMMENTS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Comment::TYPE, Task::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        match &recorded.event {
            DomainEventKind::Comment(event) => apply_comment(recorded, event, changes),
            DomainEventKind::Task(TaskEvent::TaskDeleted {}) => changes.delete_parts(&COMMENTS, recorded.aggregate_id),
            _ => {}
        }
    }
}

fn apply_comment(recorded: &Recorded, event: &CommentEvent, changes: &mut Changes) {
    let id = recorded.aggregate_id;
    match event {
        CommentEvent::CommentPosted { project_id, task_id, author_id, body } => {
            let comment = changes.create(&COMMENTS, id);
            comment.set("project_id", project_id).set("task_id", task_id).set("author_id", author_id).set("body", body);
            comment.set("created_at", At(recorded.metadata.occurred_at)).updated(recorded);
        }
        CommentEvent::CommentEdited { body, .. } => {
            changes.change(&COMMENTS, id).set("body", &body.to).updated(recorded);
        }
        CommentEvent::CommentDeleted { .. } => changes.delete(&COMMENTS, id),
        CommentEvent::PayloadRedacted(redacted) => {
            changes.change(&COMMENTS, id).redact(redacted, &[("body", Placeholder::Text)]).updated(recorded);
        }
    }
}
