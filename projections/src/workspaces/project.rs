//! Folds the events of workspaces and files into `views.workspaces` and `views.files`.

use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    file::{Content, File, FileEvent},
    redaction::{DIGEST, Placeholder},
    workspace::{Workspace, WorkspaceEvent, redacted_file},
};

use crate::{
    Projection,
    changes::{At, Bytea, Changes, Row, Table},
    log::Recorded,
};

/// The projection behind `views.workspaces` and `views.files`.
pub struct Workspaces;

const WORKSPACES: Table = Table::new("workspaces", &["id"]).counting(&["file_count"]);

const TEXTS: &[(&str, Placeholder)] = &[("name", Placeholder::Text), ("description", Placeholder::Text)];

/// The version of a file counts events: those of the workspace that concern it, and its own.
const FILES: Table = Table::new("files", &["id"]).counting(&["version"]).part_of("workspace_id");

impl Projection for Workspaces {
    fn tables(&self) -> &'static [Table] {
        &[WORKSPACES, FILES]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Workspace::TYPE, File::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        match &recorded.event {
            DomainEventKind::Workspace(event) => apply_workspace(recorded, event, changes),
            DomainEventKind::File(FileEvent::FileContentWritten { content, .. }) => {
                write(changed_file(recorded, recorded.aggregate_id, changes), content);
            }
            DomainEventKind::File(FileEvent::PayloadRedacted(redacted)) => {
                let file = changed_file(recorded, recorded.aggregate_id, changes);
                if redacted.has("content") {
                    file.set("sha256", Bytea(&DIGEST.0));
                }
            }
            _ => {}
        }
    }
}

fn apply_workspace(recorded: &Recorded, event: &WorkspaceEvent, changes: &mut Changes) {
    let id = recorded.aggregate_id;
    match event {
        WorkspaceEvent::WorkspaceCreated { project_id, name, description } => {
            let workspace = changes.create(&WORKSPACES, id);
            workspace.set("project_id", project_id).set("name", name).set("description", description).created(recorded);
        }
        WorkspaceEvent::WorkspaceUpdated { changes: fields } => {
            changes.change(&WORKSPACES, id).set_all(fields).updated(recorded);
        }
        WorkspaceEvent::FileCreated { file_id, path } => {
            changes.change(&WORKSPACES, id).count("file_count", 1).updated(recorded);
            let at = At(recorded.metadata.occurred_at);
            let file = changes.create(&FILES, file_id.uuid()).set("workspace_id", id).set("path", path);
            file.set("created_by", recorded.actor()).set("created_at", at);
            write(updated(recorded, file), &Content::EMPTY);
        }
        WorkspaceEvent::FileMoved { file_id, path } => {
            changes.change(&WORKSPACES, id).updated(recorded);
            changed_file(recorded, file_id.uuid(), changes).set("path", &path.to);
        }
        WorkspaceEvent::FileDeleted { file_id, .. } => {
            changes.change(&WORKSPACES, id).count("file_count", -1).updated(recorded);
            changes.delete(&FILES, file_id.uuid());
        }
        WorkspaceEvent::PayloadRedacted(redacted) => {
            changes.change(&WORKSPACES, id).redact(redacted, TEXTS).updated(recorded);
            let path = redacted.text(Placeholder::Unique);
            for file_id in redacted.fields.iter().filter_map(|field| redacted_file(field)) {
                changed_file(recorded, file_id.uuid(), changes).set("path", &path);
            }
        }
        WorkspaceEvent::WorkspaceDeleted {} => {
            changes.delete(&WORKSPACES, id);
            changes.delete_parts(&FILES, id);
        }
    }
}

fn changed_file<'a>(recorded: &Recorded, id: Uuid, changes: &'a mut Changes) -> &'a mut Row {
    updated(recorded, changes.change(&FILES, id))
}

fn updated<'a>(recorded: &Recorded, file: &'a mut Row) -> &'a mut Row {
    let at = At(recorded.metadata.occurred_at);
    file.set("updated_by", recorded.actor()).set("updated_at", at).count("version", 1)
}

fn write(file: &mut Row, content: &Content) {
    file.set("size", i32::try_from(content.size).unwrap_or(i32::MAX)).set("sha256", Bytea(&content.sha256.0));
}
