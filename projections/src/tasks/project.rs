//! Folds task events into `views.tasks`, and counts comments there.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    task::{Task, TaskChanges, TaskEvent, TaskFields},
    timestamp::Timestamp,
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.tasks`.
pub struct Tasks;

/// A task that the batch creates.
struct Row {
    project_id: Uuid,
    fields: TaskFields,
    comment_count: i32,
    created_by: Uuid,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

/// What the batch changes about a task that was there before.
#[derive(Default)]
struct Patch {
    changes: TaskChanges,
    /// When, and to which version, if by more than comments.
    changed: Option<(OffsetDateTime, i64)>,
    comments: i32,
}

#[derive(Default)]
struct Batch {
    created: BTreeMap<Uuid, Row>,
    changed: BTreeMap<Uuid, Patch>,
    deleted: BTreeSet<Uuid>,
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            DomainEventKind::Task(event) => self.fold_task(recorded, event),
            DomainEventKind::Comment(CommentEvent::CommentPosted { task_id, .. }) => self.count(task_id.0, 1),
            DomainEventKind::Comment(CommentEvent::CommentDeleted { task_id }) => self.count(task_id.0, -1),
            _ => {}
        }
    }

    fn fold_task(&mut self, recorded: &Recorded, event: &TaskEvent) {
        let id = recorded.aggregate_id;
        match event {
            TaskEvent::TaskCreated { project_id, fields } => {
                let at = recorded.metadata.occurred_at;
                let row = Row {
                    project_id: project_id.0,
                    fields: fields.clone(),
                    comment_count: 0,
                    created_by: recorded.metadata.actor.account().map_or_else(Uuid::nil, |account| account.0),
                    created_at: at,
                    updated_at: at,
                    version: recorded.sequence,
                };
                self.created.insert(id, row);
            }
            TaskEvent::TaskUpdated { changes } => self.change(recorded, changes),
            TaskEvent::TaskUnassigned { assignee_id } => {
                let unassigned = workroom_domain::change::Change { from: Some(*assignee_id), to: None };
                self.change(recorded, &TaskChanges { assignee_id: Some(unassigned), ..TaskChanges::default() });
            }
            TaskEvent::TaskDeleted {} => {
                self.changed.remove(&id);
                if self.created.remove(&id).is_none() {
                    self.deleted.insert(id);
                }
            }
        }
    }

    fn change(&mut self, recorded: &Recorded, changes: &TaskChanges) {
        let at = recorded.metadata.occurred_at;
        if let Some(row) = self.created.get_mut(&recorded.aggregate_id) {
            row.fields.apply(changes);
            (row.updated_at, row.version) = (at, recorded.sequence);
            return;
        }
        let patch = self.changed.entry(recorded.aggregate_id).or_default();
        patch.changed = Some((at, recorded.sequence));
        let (old, new) = (&mut patch.changes, changes.clone());
        old.title = new.title.or(old.title.take());
        old.description = new.description.or(old.description.take());
        old.assignee_id = new.assignee_id.or(old.assignee_id.take());
        old.status = new.status.or(old.status.take());
        old.task_type = new.task_type.or(old.task_type.take());
        old.priority = new.priority.or(old.priority.take());
        old.due_at = new.due_at.or(old.due_at.take());
    }

    fn count(&mut self, task: Uuid, by: i32) {
        if let Some(row) = self.created.get_mut(&task) {
            row.comment_count += by;
        } else if !self.deleted.contains(&task) {
            self.changed.entry(task).or_default().comments += by;
        }
    }
}

#[async_trait]
impl Projection for Tasks {
    fn tables(&self) -> &'static [&'static str] {
        &["tasks"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Task::TYPE, Comment::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut batch = Batch::default();
        for recorded in events {
            batch.fold(recorded);
        }
        if !batch.deleted.is_empty() {
            let gone: Vec<Uuid> = batch.deleted.into_iter().collect();
            sqlx::query("DELETE FROM tasks WHERE id = ANY($1)").bind(gone).execute(&mut *connection).await?;
        }
        if !batch.created.is_empty() {
            insert(&batch.created, &mut *connection).await?;
        }
        if !batch.changed.is_empty() {
            update(&batch.changed, connection).await?;
        }
        Ok(())
    }
}

async fn insert(created: &BTreeMap<Uuid, Row>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($row:ident => $value:expr) => {
            created.values().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "INSERT INTO tasks (id, project_id, title, description, assignee_id, status, task_type, priority, due_at,
                            comment_count, created_by, created_at, updated_at, version)
         SELECT id, project_id, title, description, assignee_id, status::task_status, task_type::task_type,
                priority::priority, due_at, comment_count, created_by, created_at, updated_at, version
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::int[], $11::uuid[], $12::timestamptz[], $13::timestamptz[],
                     $14::bigint[])
              AS n (id, project_id, title, description, assignee_id, status, task_type, priority, due_at,
                    comment_count, created_by, created_at, updated_at, version)",
    )
    .bind(created.keys().copied().collect::<Vec<_>>())
    .bind(column!(row => row.project_id))
    .bind(column!(row => row.fields.title.as_str()))
    .bind(column!(row => row.fields.description.as_str()))
    .bind(column!(row => row.fields.assignee_id.map(Uuid::from)))
    .bind(column!(row => row.fields.status.as_str()))
    .bind(column!(row => row.fields.task_type.as_str()))
    .bind(column!(row => row.fields.priority.as_str()))
    .bind(column!(row => row.fields.due_at.map(Timestamp::get)))
    .bind(column!(row => row.comment_count))
    .bind(column!(row => row.created_by))
    .bind(column!(row => row.created_at))
    .bind(column!(row => row.updated_at))
    .bind(column!(row => row.version))
    .execute(connection)
    .await
    .map(drop)
}

async fn update(changed: &BTreeMap<Uuid, Patch>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($patch:ident => $value:expr) => {
            changed.values().map(|$patch| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "UPDATE tasks t SET
             title = COALESCE(n.title, t.title), description = COALESCE(n.description, t.description),
             assignee_id = CASE WHEN n.assigned THEN n.assignee_id ELSE t.assignee_id END,
             status = COALESCE(n.status::task_status, t.status),
             task_type = COALESCE(n.task_type::task_type, t.task_type),
             priority = COALESCE(n.priority::priority, t.priority),
             due_at = CASE WHEN n.scheduled THEN n.due_at ELSE t.due_at END,
             comment_count = t.comment_count + n.comments,
             updated_at = COALESCE(n.updated_at, t.updated_at), version = COALESCE(n.version, t.version)
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::uuid[], $6::text[], $7::text[],
                     $8::text[], $9::boolean[], $10::timestamptz[], $11::int[], $12::timestamptz[], $13::bigint[])
              AS n (id, title, description, assigned, assignee_id, status, task_type, priority, scheduled, due_at,
                    comments, updated_at, version)
         WHERE t.id = n.id",
    )
    .bind(changed.keys().copied().collect::<Vec<_>>())
    .bind(column!(patch => patch.changes.title.as_ref().map(|change| change.to.as_str())))
    .bind(column!(patch => patch.changes.description.as_ref().map(|change| change.to.as_str())))
    .bind(column!(patch => patch.changes.assignee_id.is_some()))
    .bind(column!(patch => patch.changes.assignee_id.as_ref().and_then(|change| change.to).map(Uuid::from)))
    .bind(column!(patch => patch.changes.status.as_ref().map(|change| change.to.as_str())))
    .bind(column!(patch => patch.changes.task_type.as_ref().map(|change| change.to.as_str())))
    .bind(column!(patch => patch.changes.priority.as_ref().map(|change| change.to.as_str())))
    .bind(column!(patch => patch.changes.due_at.is_some()))
    .bind(column!(patch => patch.changes.due_at.as_ref().and_then(|change| change.to).map(Timestamp::get)))
    .bind(column!(patch => patch.comments))
    .bind(column!(patch => patch.changed.map(|(at, _)| at)))
    .bind(column!(patch => patch.changed.map(|(_, version)| version)))
    .execute(connection)
    .await
    .map(drop)
}
