//! Folds the events of workspaces and files into `views.workspaces` and `views.files`.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    file::{Content, File, FileEvent},
    workspace::{Workspace, WorkspaceEvent},
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.workspaces` and `views.files`.
pub struct Workspaces;

/// What the batch says about a workspace: all of it when it was opened in the batch, else what changed.
struct WorkspaceChange {
    opened: Option<(Uuid, OffsetDateTime)>,
    project_id: Uuid,
    name: Option<String>,
    description: Option<String>,
    files: i32,
    updated_at: OffsetDateTime,
    version: i64,
}

/// The same about a file.
struct FileChange {
    created: Option<(Uuid, Uuid, OffsetDateTime)>,
    path: Option<String>,
    content: Option<Content>,
    /// Events: a version is a count of those.
    steps: i64,
    updated_by: Uuid,
    updated_at: OffsetDateTime,
}

#[derive(Default)]
struct Batch {
    workspaces: BTreeMap<Uuid, WorkspaceChange>,
    files: BTreeMap<Uuid, FileChange>,
    workspaces_deleted: BTreeSet<Uuid>,
    files_deleted: BTreeSet<Uuid>,
}

fn actor(recorded: &Recorded) -> Uuid {
    recorded.metadata.actor.account().map_or_else(Uuid::nil, Into::into)
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            DomainEventKind::Workspace(event) => self.fold_workspace(recorded, event),
            DomainEventKind::File(FileEvent::FileContentWritten { content, .. }) => {
                self.file(recorded, recorded.aggregate_id).content = Some(*content);
            }
            _ => {}
        }
    }

    fn fold_workspace(&mut self, recorded: &Recorded, event: &WorkspaceEvent) {
        let id = recorded.aggregate_id;
        if let WorkspaceEvent::WorkspaceDeleted {} = event {
            self.workspaces.remove(&id);
            self.files.retain(|_, file| !matches!(file.created, Some((workspace, ..)) if workspace == id));
            self.workspaces_deleted.insert(id);
            return;
        }
        let workspace = self.workspace(recorded);
        match event {
            WorkspaceEvent::WorkspaceCreated { name, description, .. } => {
                workspace.opened = Some((actor(recorded), recorded.metadata.occurred_at));
                workspace.name = Some(name.as_str().to_owned());
                workspace.description = Some(description.as_str().to_owned());
            }
            WorkspaceEvent::WorkspaceUpdated { changes } => {
                if let Some(name) = &changes.name {
                    workspace.name = Some(name.to.as_str().to_owned());
                }
                if let Some(description) = &changes.description {
                    workspace.description = Some(description.to.as_str().to_owned());
                }
            }
            WorkspaceEvent::FileCreated { file_id, path } => {
                workspace.files += 1;
                let file = self.file(recorded, file_id.0);
                file.created = Some((id, actor(recorded), recorded.metadata.occurred_at));
                file.path = Some(path.as_str().to_owned());
                file.content = Some(Content::EMPTY);
            }
            WorkspaceEvent::FileMoved { file_id, path } => {
                self.file(recorded, file_id.0).path = Some(path.to.as_str().to_owned());
            }
            WorkspaceEvent::FileDeleted { file_id, .. } => {
                workspace.files -= 1;
                let known = self.files.remove(&file_id.0);
                if known.is_none_or(|file| file.created.is_none()) {
                    self.files_deleted.insert(file_id.0);
                }
            }
            WorkspaceEvent::WorkspaceDeleted {} => {}
        }
    }

    fn workspace(&mut self, recorded: &Recorded) -> &mut WorkspaceChange {
        let at = recorded.metadata.occurred_at;
        let change = self.workspaces.entry(recorded.aggregate_id).or_insert(WorkspaceChange {
            opened: None,
            project_id: recorded.feed_id,
            name: None,
            description: None,
            files: 0,
            updated_at: at,
            version: 0,
        });
        (change.updated_at, change.version) = (at, recorded.sequence);
        change
    }

    fn file(&mut self, recorded: &Recorded, id: Uuid) -> &mut FileChange {
        let (at, by) = (recorded.metadata.occurred_at, actor(recorded));
        let change = self.files.entry(id).or_insert(FileChange {
            created: None,
            path: None,
            content: None,
            steps: 0,
            updated_by: by,
            updated_at: at,
        });
        (change.updated_by, change.updated_at) = (by, at);
        change.steps += 1;
        change
    }
}

#[async_trait]
impl Projection for Workspaces {
    fn tables(&self) -> &'static [&'static str] {
        &["workspaces", "files"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Workspace::TYPE, File::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut batch = Batch::default();
        for recorded in events {
            batch.fold(recorded);
        }
        delete(&batch, &mut *connection).await?;
        let (opened, changed): (Vec<_>, Vec<_>) =
            batch.workspaces.iter().partition(|(_, workspace)| workspace.opened.is_some());
        if !opened.is_empty() {
            insert_workspaces(&opened, &mut *connection).await?;
        }
        if !changed.is_empty() {
            update_workspaces(&changed, &mut *connection).await?;
        }
        let (created, changed): (Vec<_>, Vec<_>) = batch.files.iter().partition(|(_, file)| file.created.is_some());
        if !created.is_empty() {
            insert_files(&created, &mut *connection).await?;
        }
        if !changed.is_empty() {
            update_files(&changed, connection).await?;
        }
        Ok(())
    }
}

async fn delete(batch: &Batch, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let workspaces: Vec<Uuid> = batch.workspaces_deleted.iter().copied().collect();
    let files: Vec<Uuid> = batch.files_deleted.iter().copied().collect();
    if !workspaces.is_empty() {
        sqlx::query("DELETE FROM workspaces WHERE id = ANY($1)").bind(&workspaces).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM files WHERE workspace_id = ANY($1)")
            .bind(&workspaces)
            .execute(&mut *connection)
            .await?;
    }
    if !files.is_empty() {
        sqlx::query("DELETE FROM files WHERE id = ANY($1)").bind(&files).execute(connection).await?;
    }
    Ok(())
}

/// A column of the rows, as an array.
macro_rules! column {
    ($rows:ident, $row:ident => $value:expr) => {
        $rows.iter().map(|(_, $row)| $value).collect::<Vec<_>>()
    };
}

fn ids<T>(rows: &[(&Uuid, T)]) -> Vec<Uuid> {
    rows.iter().map(|(id, _)| **id).collect()
}

async fn insert_workspaces(
    opened: &[(&Uuid, &WorkspaceChange)],
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO workspaces (id, project_id, name, description, file_count, created_by, created_at, updated_at,
                                 version)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::uuid[],
                              $7::timestamptz[], $8::timestamptz[], $9::bigint[])",
    )
    .bind(ids(opened))
    .bind(column!(opened, row => row.project_id))
    .bind(column!(opened, row => row.name.as_deref()))
    .bind(column!(opened, row => row.description.as_deref()))
    .bind(column!(opened, row => row.files))
    .bind(column!(opened, row => row.opened.map(|(by, _)| by)))
    .bind(column!(opened, row => row.opened.map(|(_, at)| at)))
    .bind(column!(opened, row => row.updated_at))
    .bind(column!(opened, row => row.version))
    .execute(connection)
    .await
    .map(drop)
}

async fn update_workspaces(
    changed: &[(&Uuid, &WorkspaceChange)],
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE workspaces w SET name = COALESCE(n.name, w.name), description = COALESCE(n.description, w.description),
             file_count = w.file_count + n.files, updated_at = n.updated_at, version = n.version
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::bigint[])
              AS n (id, name, description, files, updated_at, version)
         WHERE w.id = n.id",
    )
    .bind(ids(changed))
    .bind(column!(changed, row => row.name.as_deref()))
    .bind(column!(changed, row => row.description.as_deref()))
    .bind(column!(changed, row => row.files))
    .bind(column!(changed, row => row.updated_at))
    .bind(column!(changed, row => row.version))
    .execute(connection)
    .await
    .map(drop)
}

fn size(content: &Content) -> i32 {
    i32::try_from(content.size).unwrap_or(i32::MAX)
}

async fn insert_files(created: &[(&Uuid, &FileChange)], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO files (id, workspace_id, path, size, sha256, created_by, created_at, updated_by, updated_at, version)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::bytea[], $6::uuid[],
                              $7::timestamptz[], $8::uuid[], $9::timestamptz[], $10::bigint[])",
    )
    .bind(ids(created))
    .bind(column!(created, row => row.created.map(|(workspace_id, ..)| workspace_id)))
    .bind(column!(created, row => row.path.as_deref()))
    .bind(column!(created, row => row.content.as_ref().map(size)))
    .bind(column!(created, row => row.content.map(|content| content.sha256.0)))
    .bind(column!(created, row => row.created.map(|(_, by, _)| by)))
    .bind(column!(created, row => row.created.map(|(.., at)| at)))
    .bind(column!(created, row => row.updated_by))
    .bind(column!(created, row => row.updated_at))
    .bind(column!(created, row => row.steps))
    .execute(connection)
    .await
    .map(drop)
}

async fn update_files(changed: &[(&Uuid, &FileChange)], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE files f SET path = COALESCE(n.path, f.path), size = COALESCE(n.size, f.size),
             sha256 = COALESCE(n.sha256, f.sha256), updated_by = n.updated_by, updated_at = n.updated_at,
             version = f.version + n.steps
         FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bytea[], $5::uuid[], $6::timestamptz[], $7::bigint[])
              AS n (id, path, size, sha256, updated_by, updated_at, steps)
         WHERE f.id = n.id",
    )
    .bind(ids(changed))
    .bind(column!(changed, row => row.path.as_deref()))
    .bind(column!(changed, row => row.content.as_ref().map(size)))
    .bind(column!(changed, row => row.content.map(|content| content.sha256.0)))
    .bind(column!(changed, row => row.updated_by))
    .bind(column!(changed, row => row.updated_at))
    .bind(column!(changed, row => row.steps))
    .execute(connection)
    .await
    .map(drop)
}
