//! Folds task events into `views.tasks`, and counts comments there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    change::Change,
    comment::{Comment, CommentEvent},
    event::DomainEventKind,
    ids::AccountId,
    project::Priority,
    task::{Task, TaskChanges, TaskEvent, TaskFields, TaskStatus, TaskType},
    text::{Name, Prose},
    timestamp::Timestamp,
};

use crate::{
    Projection,
    changes::{At, Changes, Gone, Statement, UnusableChange, set},
    log::Recorded,
};

/// The projection behind `views.tasks`.
pub struct Tasks;

/// A task that the batch creates.
#[derive(Serialize)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    #[serde(flatten)]
    fields: TaskFields,
    comment_count: i32,
    created_by: Uuid,
    created_at: At,
    updated_at: At,
    version: i64,
}

#[derive(Serialize)]
struct Assignee {
    account_id: Option<AccountId>,
}

#[derive(Serialize)]
struct Due {
    at: Option<Timestamp>,
}

/// What the batch changes about a task that was there before. Fields that can become null stand in an object of their
/// own.
#[derive(Default, Serialize)]
struct Patch {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<Assignee>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<TaskStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<TaskType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Due>,
    comments: i32,
    /// When, and to which version, if by more than comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

impl Patch {
    fn apply(&mut self, changes: &TaskChanges) {
        set(&mut self.title, changes.title.as_ref());
        set(&mut self.description, changes.description.as_ref());
        set(&mut self.status, changes.status.as_ref());
        set(&mut self.task_type, changes.task_type.as_ref());
        set(&mut self.priority, changes.priority.as_ref());
        if let Some(change) = &changes.assignee_id {
            self.assignee = Some(Assignee { account_id: change.to });
        }
        if let Some(change) = &changes.due_at {
            self.due = Some(Due { at: change.to });
        }
    }
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
                let at = At(recorded.metadata.occurred_at);
                let row = Row {
                    id,
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
                let unassigned = Change { from: Some(*assignee_id), to: None };
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
        let (at, version) = (At(recorded.metadata.occurred_at), recorded.sequence);
        if let Some(row) = self.created.get_mut(&recorded.aggregate_id) {
            row.fields.apply(changes);
            (row.updated_at, row.version) = (at, version);
        } else {
            let patch = self.patch(recorded.aggregate_id);
            patch.apply(changes);
            (patch.updated_at, patch.version) = (Some(at), Some(version));
        }
    }

    fn patch(&mut self, id: Uuid) -> &mut Patch {
        self.changed.entry(id).or_insert_with(|| Patch { id, ..Patch::default() })
    }

    fn count(&mut self, task: Uuid, by: i32) {
        if let Some(row) = self.created.get_mut(&task) {
            row.comment_count += by;
        } else if !self.deleted.contains(&task) {
            self.patch(task).comments += by;
        }
    }
}

impl Projection for Tasks {
    fn tables(&self) -> &'static [&'static str] {
        &["tasks"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Task::TYPE, Comment::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[DELETE, INSERT, UPDATE]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut batch = Batch::default();
        for recorded in events {
            batch.fold(recorded);
        }
        changes.add(DELETE, batch.deleted.into_iter().map(|id| Gone { id }))?;
        changes.add(INSERT, batch.created.values())?;
        changes.add(UPDATE, batch.changed.values())
    }
}

const DELETE: Statement = "
    DELETE FROM tasks t USING jsonb_to_recordset(batch) AS n (id uuid) WHERE t.id = n.id";

const INSERT: Statement = "
    INSERT INTO tasks (id, project_id, title, description, assignee_id, status, task_type, priority, due_at,
                       comment_count, created_by, created_at, updated_at, version)
    SELECT id, project_id, title, description, assignee_id, status, task_type, priority, due_at, comment_count,
           created_by, created_at, updated_at, version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, project_id uuid, title text, description text, assignee_id uuid, status task_status,
               task_type task_type, priority priority, due_at timestamptz, comment_count int, created_by uuid,
               created_at timestamptz, updated_at timestamptz, version bigint)";

const UPDATE: Statement = "
    UPDATE tasks t SET
        title = COALESCE(n.title, t.title), description = COALESCE(n.description, t.description),
        assignee_id = CASE WHEN n.assignee IS NULL THEN t.assignee_id ELSE (n.assignee->>'account_id')::uuid END,
        status = COALESCE(n.status, t.status), task_type = COALESCE(n.task_type, t.task_type),
        priority = COALESCE(n.priority, t.priority),
        due_at = CASE WHEN n.due IS NULL THEN t.due_at ELSE (n.due->>'at')::timestamptz END,
        comment_count = t.comment_count + n.comments,
        updated_at = COALESCE(n.updated_at, t.updated_at), version = COALESCE(n.version, t.version)
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, title text, description text, assignee jsonb, status task_status, task_type task_type,
               priority priority, due jsonb, comments int, updated_at timestamptz, version bigint)
    WHERE t.id = n.id";
