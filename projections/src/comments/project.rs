//! Folds comment events into `views.comments`. The comments of a task go with it.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    task::{Task, TaskEvent},
};

use crate::{
    Projection,
    changes::{At, Changes, Gone, Statement, UnusableChange},
    log::Recorded,
};

/// The projection behind `views.comments`.
pub struct Comments;

#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    project_id: Uuid,
    task_id: Uuid,
    author_id: Uuid,
    body: &'a str,
    created_at: At,
    updated_at: At,
    version: i64,
}

/// What a batch changes about a comment that was there before.
#[derive(Serialize)]
struct Patch<'a> {
    id: Uuid,
    body: &'a str,
    updated_at: At,
    version: i64,
}

#[derive(Default)]
struct Batch<'a> {
    posted: BTreeMap<Uuid, Row<'a>>,
    edited: BTreeMap<Uuid, Patch<'a>>,
    deleted: Vec<Gone>,
    tasks_deleted: Vec<Gone>,
}

impl<'a> Batch<'a> {
    fn fold(&mut self, recorded: &'a Recorded) {
        match &recorded.event {
            DomainEventKind::Comment(event) => self.fold_comment(recorded, event),
            DomainEventKind::Task(TaskEvent::TaskDeleted {}) => {
                let id = recorded.aggregate_id;
                self.posted.retain(|_, row| row.task_id != id);
                self.tasks_deleted.push(Gone { id });
            }
            _ => {}
        }
    }

    fn fold_comment(&mut self, recorded: &Recorded, event: &'a CommentEvent) {
        let (id, version) = (recorded.aggregate_id, recorded.sequence);
        let at = At(recorded.metadata.occurred_at);
        match event {
            CommentEvent::CommentPosted { project_id, task_id, author_id, body } => {
                let row = Row {
                    id,
                    project_id: project_id.0,
                    task_id: task_id.0,
                    author_id: author_id.0,
                    body: body.as_str(),
                    created_at: at,
                    updated_at: at,
                    version,
                };
                self.posted.insert(id, row);
            }
            CommentEvent::CommentEdited { body, .. } => {
                let body = body.to.as_str();
                match self.posted.get_mut(&id) {
                    Some(row) => (row.body, row.updated_at, row.version) = (body, at, version),
                    None => drop(self.edited.insert(id, Patch { id, body, updated_at: at, version })),
                }
            }
            CommentEvent::CommentDeleted { .. } => {
                self.edited.remove(&id);
                if self.posted.remove(&id).is_none() {
                    self.deleted.push(Gone { id });
                }
            }
        }
    }
}

impl Projection for Comments {
    fn tables(&self) -> &'static [&'static str] {
        &["comments"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Comment::TYPE, Task::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[DELETE, DELETE_OF_TASKS, INSERT, UPDATE]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut batch = Batch::default();
        for recorded in events {
            batch.fold(recorded);
        }
        changes.add(DELETE, &batch.deleted)?;
        changes.add(DELETE_OF_TASKS, &batch.tasks_deleted)?;
        changes.add(INSERT, batch.posted.values())?;
        changes.add(UPDATE, batch.edited.values())
    }
}

const DELETE: Statement = "
    DELETE FROM comments c USING jsonb_to_recordset(batch) AS n (id uuid) WHERE c.id = n.id";

const DELETE_OF_TASKS: Statement = "
    DELETE FROM comments c USING jsonb_to_recordset(batch) AS n (id uuid) WHERE c.task_id = n.id";

const INSERT: Statement = "
    INSERT INTO comments (id, project_id, task_id, author_id, body, created_at, updated_at, version)
    SELECT id, project_id, task_id, author_id, body, created_at, updated_at, version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, project_id uuid, task_id uuid, author_id uuid, body text, created_at timestamptz,
               updated_at timestamptz, version bigint)";

const UPDATE: Statement = "
    UPDATE comments c SET body = n.body, updated_at = n.updated_at, version = n.version
    FROM jsonb_to_recordset(batch) AS n (id uuid, body text, updated_at timestamptz, version bigint)
    WHERE c.id = n.id";
