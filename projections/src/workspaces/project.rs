//! Folds the events of workspaces and files into `views.workspaces` and `views.files`.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    file::{Content, File, FileEvent},
    workspace::{Workspace, WorkspaceEvent},
};

use crate::{
    Projection,
    changes::{At, Bytea, Changes, Gone, Statement, UnusableChange},
    log::Recorded,
};

/// The projection behind `views.workspaces` and `views.files`.
pub struct Workspaces;

/// What the batch says about a workspace: all of it when it was opened in the batch, else what changed.
#[derive(Serialize)]
struct WorkspaceChange<'a> {
    id: Uuid,
    project_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    files: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<At>,
    updated_at: At,
    version: i64,
}

/// The same about a file.
#[derive(Serialize)]
struct FileChange<'a> {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Bytea<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<At>,
    updated_by: Uuid,
    updated_at: At,
    /// Events: a version is a count of those.
    steps: i64,
}

impl<'a> FileChange<'a> {
    fn write(&mut self, content: &'a Content) {
        self.size = Some(i32::try_from(content.size).unwrap_or(i32::MAX));
        self.sha256 = Some(Bytea(&content.sha256.0));
    }
}

#[derive(Default)]
struct Batch<'a> {
    workspaces: BTreeMap<Uuid, WorkspaceChange<'a>>,
    files: BTreeMap<Uuid, FileChange<'a>>,
    workspaces_deleted: Vec<Gone>,
    files_deleted: Vec<Gone>,
}

fn actor(recorded: &Recorded) -> Uuid {
    recorded.metadata.actor.account().map_or_else(Uuid::nil, Into::into)
}

impl<'a> Batch<'a> {
    fn fold(&mut self, recorded: &'a Recorded) {
        match &recorded.event {
            DomainEventKind::Workspace(event) => self.fold_workspace(recorded, event),
            DomainEventKind::File(FileEvent::FileContentWritten { content, .. }) => {
                self.file(recorded, recorded.aggregate_id).write(content);
            }
            _ => {}
        }
    }

    fn fold_workspace(&mut self, recorded: &Recorded, event: &'a WorkspaceEvent) {
        let id = recorded.aggregate_id;
        if let WorkspaceEvent::WorkspaceDeleted {} = event {
            self.workspaces.remove(&id);
            self.files.retain(|_, file| file.workspace_id != Some(id));
            self.workspaces_deleted.push(Gone { id });
            return;
        }
        let workspace = self.workspace(recorded);
        match event {
            WorkspaceEvent::WorkspaceCreated { name, description, .. } => {
                (workspace.name, workspace.description) = (Some(name.as_str()), Some(description.as_str()));
                workspace.created_by = Some(actor(recorded));
                workspace.created_at = Some(workspace.updated_at);
            }
            WorkspaceEvent::WorkspaceUpdated { changes } => {
                workspace.name = changes.name.as_ref().map(|name| name.to.as_str()).or(workspace.name);
                workspace.description =
                    changes.description.as_ref().map(|description| description.to.as_str()).or(workspace.description);
            }
            WorkspaceEvent::FileCreated { file_id, path } => {
                workspace.files += 1;
                let file = self.file(recorded, file_id.0);
                (file.workspace_id, file.path) = (Some(id), Some(path.as_str()));
                (file.created_by, file.created_at) = (Some(file.updated_by), Some(file.updated_at));
                file.write(&Content::EMPTY);
            }
            WorkspaceEvent::FileMoved { file_id, path } => {
                self.file(recorded, file_id.0).path = Some(path.to.as_str());
            }
            WorkspaceEvent::FileDeleted { file_id, .. } => {
                workspace.files -= 1;
                let known = self.files.remove(&file_id.0);
                if known.is_none_or(|file| file.created_at.is_none()) {
                    self.files_deleted.push(Gone { id: file_id.0 });
                }
            }
            WorkspaceEvent::WorkspaceDeleted {} => {}
        }
    }

    fn workspace(&mut self, recorded: &Recorded) -> &mut WorkspaceChange<'a> {
        let (id, at) = (recorded.aggregate_id, At(recorded.metadata.occurred_at));
        let change = self.workspaces.entry(id).or_insert(WorkspaceChange {
            id,
            project_id: recorded.feed_id,
            name: None,
            description: None,
            files: 0,
            created_by: None,
            created_at: None,
            updated_at: at,
            version: 0,
        });
        (change.updated_at, change.version) = (at, recorded.sequence);
        change
    }

    fn file(&mut self, recorded: &Recorded, id: Uuid) -> &mut FileChange<'a> {
        let (at, by) = (At(recorded.metadata.occurred_at), actor(recorded));
        let change = self.files.entry(id).or_insert(FileChange {
            id,
            workspace_id: None,
            path: None,
            size: None,
            sha256: None,
            created_by: None,
            created_at: None,
            updated_by: by,
            updated_at: at,
            steps: 0,
        });
        (change.updated_by, change.updated_at) = (by, at);
        change.steps += 1;
        change
    }
}

impl Projection for Workspaces {
    fn tables(&self) -> &'static [&'static str] {
        &["workspaces", "files"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Workspace::TYPE, File::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[
            DELETE_WORKSPACES,
            DELETE_FILES_OF_WORKSPACES,
            DELETE_FILES,
            INSERT_WORKSPACES,
            UPDATE_WORKSPACES,
            INSERT_FILES,
            UPDATE_FILES,
        ]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut batch = Batch::default();
        for recorded in events {
            batch.fold(recorded);
        }
        changes.add(DELETE_WORKSPACES, &batch.workspaces_deleted)?;
        changes.add(DELETE_FILES_OF_WORKSPACES, &batch.workspaces_deleted)?;
        changes.add(DELETE_FILES, &batch.files_deleted)?;
        let (opened, known): (Vec<_>, Vec<_>) =
            batch.workspaces.values().partition(|workspace| workspace.created_at.is_some());
        changes.add(INSERT_WORKSPACES, opened)?;
        changes.add(UPDATE_WORKSPACES, known)?;
        let (created, known): (Vec<_>, Vec<_>) = batch.files.values().partition(|file| file.created_at.is_some());
        changes.add(INSERT_FILES, created)?;
        changes.add(UPDATE_FILES, known)
    }
}

const DELETE_WORKSPACES: Statement = "
    DELETE FROM workspaces w USING jsonb_to_recordset(batch) AS n (id uuid) WHERE w.id = n.id";

const DELETE_FILES_OF_WORKSPACES: Statement = "
    DELETE FROM files f USING jsonb_to_recordset(batch) AS n (id uuid) WHERE f.workspace_id = n.id";

const DELETE_FILES: Statement = "
    DELETE FROM files f USING jsonb_to_recordset(batch) AS n (id uuid) WHERE f.id = n.id";

const INSERT_WORKSPACES: Statement = "
    INSERT INTO workspaces (id, project_id, name, description, file_count, created_by, created_at, updated_at, version)
    SELECT id, project_id, name, description, files, created_by, created_at, updated_at, version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, project_id uuid, name text, description text, files int, created_by uuid,
               created_at timestamptz, updated_at timestamptz, version bigint)";

const UPDATE_WORKSPACES: Statement = "
    UPDATE workspaces w SET
        name = COALESCE(n.name, w.name), description = COALESCE(n.description, w.description),
        file_count = w.file_count + n.files, updated_at = n.updated_at, version = n.version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, name text, description text, files int, updated_at timestamptz, version bigint)
    WHERE w.id = n.id";

const INSERT_FILES: Statement = "
    INSERT INTO files (id, workspace_id, path, size, sha256, created_by, created_at, updated_by, updated_at, version)
    SELECT id, workspace_id, path, size, sha256, created_by, created_at, updated_by, updated_at, steps
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, workspace_id uuid, path text, size int, sha256 bytea, created_by uuid, created_at timestamptz,
               updated_by uuid, updated_at timestamptz, steps bigint)";

const UPDATE_FILES: Statement = "
    UPDATE files f SET
        path = COALESCE(n.path, f.path), size = COALESCE(n.size, f.size), sha256 = COALESCE(n.sha256, f.sha256),
        updated_by = n.updated_by, updated_at = n.updated_at, version = f.version + n.steps
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, path text, size int, sha256 bytea, updated_by uuid, updated_at timestamptz, steps bigint)
    WHERE f.id = n.id";
