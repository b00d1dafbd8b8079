//! Folds task events into `views.tasks`, and counts comments there.

use workroom_domain::{
    Decide,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    redaction::Placeholder,
    task::{Task, TaskEvent},
};

use crate::{
    Projection,
    changes::{Changes, Table},
    log::Recorded,
};

/// The projection behind `views.tasks`.
pub struct Tasks;

const TASKS: Table = Table::new("tasks", &["id"]).counting(&["comment_count"]);

const TEXTS: &[(&str, Placeholder)] = &[("title", Placeholder::Text), ("description", Placeholder::Text)];

impl Projection for Tasks {
    fn tables(&self) -> &'static [Table] {
        &[TASKS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Task::TYPE, Comment::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        match &recorded.event {
            DomainEventKind::Task(event) => apply_task(recorded, event, changes),
            DomainEventKind::Comment(CommentEvent::CommentPosted { task_id, .. }) => {
                changes.change(&TASKS, task_id.uuid()).count("comment_count", 1);
            }
            DomainEventKind::Comment(CommentEvent::CommentDeleted { task_id }) => {
                changes.change(&TASKS, task_id.uuid()).count("comment_count", -1);
            }
            _ => {}
        }
    }
}

fn apply_task(recorded: &Recorded, event: &TaskEvent, changes: &mut Changes) {
    let id = recorded.aggregate_id;
    match event {
        TaskEvent::TaskCreated { project_id, fields } => {
            changes.create(&TASKS, id).set("project_id", project_id).set_all(fields).created(recorded);
        }
        TaskEvent::TaskUpdated { changes: fields } => {
            changes.change(&TASKS, id).set_all(fields).updated(recorded);
        }
        TaskEvent::TaskUnassigned { .. } => {
            changes.change(&TASKS, id).set("assignee_id", ()).updated(recorded);
        }
        TaskEvent::TaskDeleted {} => changes.delete(&TASKS, id),
        TaskEvent::PayloadRedacted(redacted) => {
            changes.change(&TASKS, id).redact(redacted, TEXTS).updated(recorded);
        }
    }
}
