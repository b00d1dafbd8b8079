//! Folds comment events into `views.comments`. The comments of a task go with it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    task::{Task, TaskEvent},
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.comments`.
pub struct Comments;

struct Row {
    project_id: Uuid,
    task_id: Uuid,
    author_id: Uuid,
    body: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

#[derive(Default)]
struct Batch {
    posted: BTreeMap<Uuid, Row>,
    edited: BTreeMap<Uuid, (String, OffsetDateTime, i64)>,
    deleted: BTreeSet<Uuid>,
    tasks_deleted: BTreeSet<Uuid>,
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            DomainEventKind::Comment(event) => self.fold_comment(recorded, event),
            DomainEventKind::Task(TaskEvent::TaskDeleted {}) => {
                let task = recorded.aggregate_id;
                self.posted.retain(|_, row| row.task_id != task);
                self.tasks_deleted.insert(task);
            }
            _ => {}
        }
    }

    fn fold_comment(&mut self, recorded: &Recorded, event: &CommentEvent) {
        let (id, at) = (recorded.aggregate_id, recorded.metadata.occurred_at);
        match event {
            CommentEvent::CommentPosted { project_id, task_id, author_id, body } => {
                let row = Row {
                    project_id: project_id.0,
                    task_id: task_id.0,
                    author_id: author_id.0,
                    body: body.as_str().to_owned(),
                    created_at: at,
                    updated_at: at,
                    version: recorded.sequence,
                };
                self.posted.insert(id, row);
            }
            CommentEvent::CommentEdited { body, .. } => {
                let body = body.to.as_str().to_owned();
                match self.posted.get_mut(&id) {
                    Some(row) => (row.body, row.updated_at, row.version) = (body, at, recorded.sequence),
                    None => drop(self.edited.insert(id, (body, at, recorded.sequence))),
                }
            }
            CommentEvent::CommentDeleted { .. } => {
                self.edited.remove(&id);
                if self.posted.remove(&id).is_none() {
                    self.deleted.insert(id);
                }
            }
        }
    }
}

#[async_trait]
impl Projection for Comments {
    fn tables(&self) -> &'static [&'static str] {
        &["comments"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Comment::TYPE, Task::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut batch = Batch::default();
        for recorded in events {
            batch.fold(recorded);
        }
        if !batch.deleted.is_empty() || !batch.tasks_deleted.is_empty() {
            sqlx::query("DELETE FROM comments WHERE id = ANY($1) OR task_id = ANY($2)")
                .bind(batch.deleted.iter().copied().collect::<Vec<_>>())
                .bind(batch.tasks_deleted.iter().copied().collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
        }
        if !batch.posted.is_empty() {
            insert(&batch.posted, &mut *connection).await?;
        }
        if !batch.edited.is_empty() {
            update(&batch.edited, connection).await?;
        }
        Ok(())
    }
}

async fn insert(posted: &BTreeMap<Uuid, Row>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($row:ident => $value:expr) => {
            posted.values().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "INSERT INTO comments (id, project_id, task_id, author_id, body, created_at, updated_at, version)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[],
                              $7::timestamptz[], $8::bigint[])",
    )
    .bind(posted.keys().copied().collect::<Vec<_>>())
    .bind(column!(row => row.project_id))
    .bind(column!(row => row.task_id))
    .bind(column!(row => row.author_id))
    .bind(column!(row => row.body.as_str()))
    .bind(column!(row => row.created_at))
    .bind(column!(row => row.updated_at))
    .bind(column!(row => row.version))
    .execute(connection)
    .await
    .map(drop)
}

async fn update(
    edited: &BTreeMap<Uuid, (String, OffsetDateTime, i64)>,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE comments c SET body = n.body, updated_at = n.updated_at, version = n.version
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[]) AS n (id, body, updated_at, version)
         WHERE c.id = n.id",
    )
    .bind(edited.keys().copied().collect::<Vec<_>>())
    .bind(edited.values().map(|(body, ..)| body.as_str()).collect::<Vec<_>>())
    .bind(edited.values().map(|(_, at, _)| *at).collect::<Vec<_>>())
    .bind(edited.values().map(|(.., version)| *version).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}
