//! Folds project events into `views.projects`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    project::{Project, ProjectChanges, ProjectEvent, ProjectFields},
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.projects`.
pub struct Projects;

struct Row {
    id: Uuid,
    organization_id: Uuid,
    name: String,
    description: String,
    is_public: bool,
    status: String,
    priority: String,
    start_date: Option<Date>,
    end_date: Option<Date>,
    team_lead: Option<Uuid>,
    edit_policy: String,
    created_by: Uuid,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    deleted: bool,
}

impl Row {
    fn founded(recorded: &Recorded, organization_id: Uuid, fields: &ProjectFields) -> Self {
        let at = recorded.metadata.occurred_at;
        Self {
            id: recorded.aggregate_id,
            organization_id,
            name: fields.name.as_str().to_owned(),
            description: fields.description.as_str().to_owned(),
            is_public: fields.is_public,
            status: fields.status.as_str().to_owned(),
            priority: fields.priority.as_str().to_owned(),
            start_date: fields.schedule.start_date,
            end_date: fields.schedule.end_date,
            team_lead: fields.team_lead.map(Uuid::from),
            edit_policy: fields.edit_policy.as_str().to_owned(),
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
        if let Some((start_date, end_date)) = patch.schedule {
            (self.start_date, self.end_date) = (start_date, end_date);
        }
        set(&mut self.team_lead, patch.team_lead);
        set(&mut self.edit_policy, patch.edit_policy);
        self.deleted |= patch.deleted;
        self.updated_at = patch.updated_at;
        self.version = patch.version;
    }
}

/// What a batch changes about a project that was there before.
struct Patch {
    name: Option<String>,
    description: Option<String>,
    is_public: Option<bool>,
    status: Option<String>,
    priority: Option<String>,
    schedule: Option<(Option<Date>, Option<Date>)>,
    team_lead: Option<Option<Uuid>>,
    edit_policy: Option<String>,
    deleted: bool,
    updated_at: OffsetDateTime,
    version: i64,
}

impl Patch {
    fn of(recorded: &Recorded, changes: Option<&ProjectChanges>) -> Self {
        let none = ProjectChanges::default();
        let deleted = changes.is_none();
        let changes = changes.unwrap_or(&none);
        Self {
            name: changes.name.as_ref().map(|change| change.to.as_str().to_owned()),
            description: changes.description.as_ref().map(|change| change.to.as_str().to_owned()),
            is_public: changes.is_public.as_ref().map(|change| change.to),
            status: changes.status.as_ref().map(|change| change.to.as_str().to_owned()),
            priority: changes.priority.as_ref().map(|change| change.to.as_str().to_owned()),
            schedule: changes.schedule.as_ref().map(|change| (change.to.start_date, change.to.end_date)),
            team_lead: changes.team_lead.as_ref().map(|change| change.to.map(Uuid::from)),
            edit_policy: changes.edit_policy.as_ref().map(|change| change.to.as_str().to_owned()),
            deleted,
            updated_at: recorded.metadata.occurred_at,
            version: recorded.sequence,
        }
    }

    /// This one, then a later one.
    fn then(self, later: Self) -> Self {
        Self {
            name: later.name.or(self.name),
            description: later.description.or(self.description),
            is_public: later.is_public.or(self.is_public),
            status: later.status.or(self.status),
            priority: later.priority.or(self.priority),
            schedule: later.schedule.or(self.schedule),
            team_lead: later.team_lead.or(self.team_lead),
            edit_policy: later.edit_policy.or(self.edit_policy),
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

#[async_trait]
impl Projection for Projects {
    fn tables(&self) -> &'static [&'static str] {
        &["projects"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Project::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut batch = Batch::default();
        for recorded in events {
            if let DomainEventKind::Project(event) = &recorded.event {
                batch.fold(recorded, event);
            }
        }
        if !batch.founded.is_empty() {
            insert(batch.founded.into_values().collect(), &mut *connection).await?;
        }
        if !batch.changed.is_empty() {
            update(&batch.changed, connection).await?;
        }
        Ok(())
    }
}

async fn update(changed: &BTreeMap<Uuid, Patch>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($patch:ident => $value:expr) => {
            changed.values().map(|$patch| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "UPDATE projects p SET
             name = COALESCE(n.name, p.name), description = COALESCE(n.description, p.description),
             is_public = COALESCE(n.is_public, p.is_public), status = COALESCE(n.status::project_status, p.status),
             priority = COALESCE(n.priority::priority, p.priority),
             start_date = CASE WHEN n.scheduled THEN n.start_date ELSE p.start_date END,
             end_date = CASE WHEN n.scheduled THEN n.end_date ELSE p.end_date END,
             team_lead = CASE WHEN n.is_led THEN n.team_lead ELSE p.team_lead END,
             edit_policy = COALESCE(n.edit_policy::edit_policy, p.edit_policy),
             deleted = p.deleted OR n.deleted, updated_at = n.updated_at, version = n.version
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::boolean[],
                     $8::date[], $9::date[], $10::boolean[], $11::timestamptz[], $12::bigint[], $13::boolean[],
                     $14::uuid[], $15::text[])
              AS n (id, name, description, is_public, status, priority, scheduled, start_date, end_date, deleted,
                    updated_at, version, is_led, team_lead, edit_policy)
         WHERE p.id = n.id",
    )
    .bind(changed.keys().copied().collect::<Vec<_>>())
    .bind(column!(patch => patch.name.as_deref()))
    .bind(column!(patch => patch.description.as_deref()))
    .bind(column!(patch => patch.is_public))
    .bind(column!(patch => patch.status.as_deref()))
    .bind(column!(patch => patch.priority.as_deref()))
    .bind(column!(patch => patch.schedule.is_some()))
    .bind(column!(patch => patch.schedule.and_then(|(start, _)| start)))
    .bind(column!(patch => patch.schedule.and_then(|(_, end)| end)))
    .bind(column!(patch => patch.deleted))
    .bind(column!(patch => patch.updated_at))
    .bind(column!(patch => patch.version))
    .bind(column!(patch => patch.team_lead.is_some()))
    .bind(column!(patch => patch.team_lead.flatten()))
    .bind(column!(patch => patch.edit_policy.as_deref()))
    .execute(connection)
    .await
    .map(drop)
}

async fn insert(rows: Vec<Row>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($field:ident) => {
            rows.iter().map(|row| row.$field.clone()).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "INSERT INTO projects (id, organization_id, name, description, is_public, status, priority, start_date,
                               end_date, created_by, created_at, updated_at, version, deleted, team_lead,
                               edit_policy)
         SELECT id, organization_id, name, description, is_public, status::project_status, priority::priority,
                start_date, end_date, created_by, created_at, updated_at, version, deleted, team_lead,
                edit_policy::edit_policy
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],
                     $8::date[], $9::date[], $10::uuid[], $11::timestamptz[], $12::timestamptz[], $13::bigint[],
                     $14::boolean[], $15::uuid[], $16::text[])
              AS n (id, organization_id, name, description, is_public, status, priority, start_date, end_date,
                    created_by, created_at, updated_at, version, deleted, team_lead, edit_policy)",
    )
    .bind(column!(id))
    .bind(column!(organization_id))
    .bind(column!(name))
    .bind(column!(description))
    .bind(column!(is_public))
    .bind(column!(status))
    .bind(column!(priority))
    .bind(column!(start_date))
    .bind(column!(end_date))
    .bind(column!(created_by))
    .bind(column!(created_at))
    .bind(column!(updated_at))
    .bind(column!(version))
    .bind(column!(deleted))
    .bind(column!(team_lead))
    .bind(column!(edit_policy))
    .execute(connection)
    .await
    .map(drop)
}
