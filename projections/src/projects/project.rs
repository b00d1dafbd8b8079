//! Folds project events into `views.projects`.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    project::{Project, ProjectChanges, ProjectEvent, ProjectFields, Schedule},
};

use crate::{
    Projection,
    changes::{At, Changes, Day, Statement, UnusableChange},
    log::Recorded,
};

/// The projection behind `views.projects`.
pub struct Projects;

#[derive(Serialize)]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    name: String,
    description: String,
    is_public: bool,
    status: String,
    priority: String,
    start_date: Option<Day>,
    end_date: Option<Day>,
    team_lead: Option<Uuid>,
    edit_policy: String,
    lead_can_add_members: bool,
    created_by: Uuid,
    created_at: At,
    updated_at: At,
    version: i64,
    deleted: bool,
}

impl Row {
    fn founded(recorded: &Recorded, organization_id: Uuid, fields: &ProjectFields) -> Self {
        let at = At(recorded.metadata.occurred_at);
        Self {
            id: recorded.aggregate_id,
            organization_id,
            name: fields.name.as_str().to_owned(),
            description: fields.description.as_str().to_owned(),
            is_public: fields.is_public,
            status: fields.status.as_str().to_owned(),
            priority: fields.priority.as_str().to_owned(),
            start_date: fields.schedule.start_date.map(Day),
            end_date: fields.schedule.end_date.map(Day),
            team_lead: fields.team_lead.map(Uuid::from),
            edit_policy: fields.edit_policy.as_str().to_owned(),
            lead_can_add_members: fields.lead_can_add_members,
            created_by: recorded.metadata.actor.account().map_or_else(Uuid::nil, |account| account.0),
            created_at: at,
            updated_at: at,
            version: recorded.sequence,
            deleted: false,
        }
    }

    fn apply(&mut self, patch: Patch) {
        fn set<T>(field: &mut T, to: Option<T>) {
            if let Some(to) = to {
                *field = to;
            }
        }
        set(&mut self.name, patch.name);
        set(&mut self.description, patch.description);
        set(&mut self.is_public, patch.is_public);
        set(&mut self.status, patch.status);
        set(&mut self.priority, patch.priority);
        if let Some(Dates { start_date, end_date }) = patch.schedule {
            (self.start_date, self.end_date) = (start_date, end_date);
        }
        set(&mut self.team_lead, patch.lead.map(|lead| lead.account_id));
        set(&mut self.edit_policy, patch.edit_policy);
        set(&mut self.lead_can_add_members, patch.lead_can_add_members);
        self.deleted |= patch.deleted;
        self.updated_at = patch.updated_at;
        self.version = patch.version;
    }
}

#[derive(Serialize)]
struct Dates {
    start_date: Option<Day>,
    end_date: Option<Day>,
}

impl From<Schedule> for Dates {
    fn from(schedule: Schedule) -> Self {
        Self { start_date: schedule.start_date.map(Day), end_date: schedule.end_date.map(Day) }
    }
}

#[derive(Serialize)]
struct Lead {
    account_id: Option<Uuid>,
}

/// What a batch changes about a project that was there before. Fields that can become null stand in an object of their
/// own.
#[derive(Serialize)]
struct Patch {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_public: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Dates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<Lead>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edit_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_can_add_members: Option<bool>,
    deleted: bool,
    updated_at: At,
    version: i64,
}

impl Patch {
    fn of(recorded: &Recorded, changes: Option<&ProjectChanges>) -> Self {
        let none = ProjectChanges::default();
        let deleted = changes.is_none();
        let changes = changes.unwrap_or(&none);
        Self {
            id: recorded.aggregate_id,
            name: changes.name.as_ref().map(|change| change.to.as_str().to_owned()),
            description: changes.description.as_ref().map(|change| change.to.as_str().to_owned()),
            is_public: changes.is_public.as_ref().map(|change| change.to),
            status: changes.status.as_ref().map(|change| change.to.as_str().to_owned()),
            priority: changes.priority.as_ref().map(|change| change.to.as_str().to_owned()),
            schedule: changes.schedule.as_ref().map(|change| change.to.into()),
            lead: changes.team_lead.as_ref().map(|change| Lead { account_id: change.to.map(Uuid::from) }),
            edit_policy: changes.edit_policy.as_ref().map(|change| change.to.as_str().to_owned()),
            lead_can_add_members: changes.lead_can_add_members.as_ref().map(|change| change.to),
            deleted,
            updated_at: At(recorded.metadata.occurred_at),
            version: recorded.sequence,
        }
    }

    /// This one, then a later one.
    fn then(self, later: Self) -> Self {
        Self {
            id: later.id,
            name: later.name.or(self.name),
            description: later.description.or(self.description),
            is_public: later.is_public.or(self.is_public),
            status: later.status.or(self.status),
            priority: later.priority.or(self.priority),
            schedule: later.schedule.or(self.schedule),
            lead: later.lead.or(self.lead),
            edit_policy: later.edit_policy.or(self.edit_policy),
            lead_can_add_members: later.lead_can_add_members.or(self.lead_can_add_members),
            deleted: self.deleted || later.deleted,
            updated_at: later.updated_at,
            version: later.version,
        }
    }
}

/// A batch, folded: projects that it founds, and changes of those that were there. No row has to be read for it.
#[derive(Default)]
struct Batch {
    founded: BTreeMap<Uuid, Row>,
    changed: BTreeMap<Uuid, Patch>,
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded, event: &ProjectEvent) {
        let id = recorded.aggregate_id;
        let patch = match event {
            ProjectEvent::ProjectCreated { organization_id, fields } => {
                self.founded.insert(id, Row::founded(recorded, organization_id.0, fields));
                return;
            }
            ProjectEvent::ProjectUpdated { changes } => Patch::of(recorded, Some(changes)),
            ProjectEvent::ProjectDeleted {} => Patch::of(recorded, None),
        };
        if let Some(row) = self.founded.get_mut(&id) {
            row.apply(patch);
            return;
        }
        let patch = match self.changed.remove(&id) {
            Some(earlier) => earlier.then(patch),
            None => patch,
        };
        self.changed.insert(id, patch);
    }
}

impl Projection for Projects {
    fn tables(&self) -> &'static [&'static str] {
        &["projects"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Project::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[INSERT, UPDATE]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut batch = Batch::default();
        for recorded in events {
            if let DomainEventKind::Project(event) = &recorded.event {
                batch.fold(recorded, event);
            }
        }
        changes.add(INSERT, batch.founded.values())?;
        changes.add(UPDATE, batch.changed.values())
    }
}

const INSERT: Statement = "
    INSERT INTO projects (id, organization_id, name, description, is_public, status, priority, start_date, end_date,
                          created_by, created_at, updated_at, version, deleted, team_lead, edit_policy,
                          lead_can_add_members)
    SELECT id, organization_id, name, description, is_public, status, priority, start_date, end_date, created_by,
           created_at, updated_at, version, deleted, team_lead, edit_policy, lead_can_add_members
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, organization_id uuid, name text, description text, is_public boolean, status project_status,
               priority priority, start_date date, end_date date, created_by uuid, created_at timestamptz,
               updated_at timestamptz, version bigint, deleted boolean, team_lead uuid, edit_policy edit_policy,
               lead_can_add_members boolean)";

const UPDATE: Statement = "
    UPDATE projects p SET
        name = COALESCE(n.name, p.name), description = COALESCE(n.description, p.description),
        is_public = COALESCE(n.is_public, p.is_public), status = COALESCE(n.status, p.status),
        priority = COALESCE(n.priority, p.priority),
        start_date = CASE WHEN n.schedule IS NULL THEN p.start_date ELSE (n.schedule->>'start_date')::date END,
        end_date = CASE WHEN n.schedule IS NULL THEN p.end_date ELSE (n.schedule->>'end_date')::date END,
        team_lead = CASE WHEN n.lead IS NULL THEN p.team_lead ELSE (n.lead->>'account_id')::uuid END,
        edit_policy = COALESCE(n.edit_policy, p.edit_policy),
        lead_can_add_members = COALESCE(n.lead_can_add_members, p.lead_can_add_members),
        deleted = p.deleted OR n.deleted, updated_at = n.updated_at, version = n.version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, name text, description text, is_public boolean, status project_status, priority priority,
               schedule jsonb, lead jsonb, edit_policy edit_policy, lead_can_add_members boolean, deleted boolean, updated_at timestamptz,
               version bigint)
    WHERE p.id = n.id";
