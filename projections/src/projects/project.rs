//! Folds project events into `views.projects`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{FromRow, PgConnection};
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

#[derive(FromRow)]
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
            created_by: recorded.metadata.actor.account().map_or_else(Uuid::nil, |account| account.0),
            created_at: at,
            updated_at: at,
            version: recorded.sequence,
            deleted: false,
        }
    }

    fn change(&mut self, changes: &ProjectChanges) {
        if let Some(change) = &changes.name {
            change.to.as_str().clone_into(&mut self.name);
        }
        if let Some(change) = &changes.description {
            change.to.as_str().clone_into(&mut self.description);
        }
        if let Some(change) = &changes.is_public {
            self.is_public = change.to;
        }
        if let Some(change) = &changes.status {
            change.to.as_str().clone_into(&mut self.status);
        }
        if let Some(change) = &changes.priority {
            change.to.as_str().clone_into(&mut self.priority);
        }
        if let Some(change) = &changes.schedule {
            self.start_date = change.to.start_date;
            self.end_date = change.to.end_date;
        }
    }
}

fn fold(rows: &mut BTreeMap<Uuid, Row>, recorded: &Recorded, event: &ProjectEvent) {
    if let ProjectEvent::ProjectCreated { organization_id, fields } = event {
        rows.insert(recorded.aggregate_id, Row::founded(recorded, organization_id.0, fields));
        return;
    }
    let Some(row) = rows.get_mut(&recorded.aggregate_id) else { return };
    match event {
        ProjectEvent::ProjectCreated { .. } => {}
        ProjectEvent::ProjectUpdated { changes } => row.change(changes),
        ProjectEvent::ProjectDeleted {} => row.deleted = true,
    }
    row.updated_at = recorded.metadata.occurred_at;
    row.version = recorded.sequence;
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
        let events: Vec<(&Recorded, &ProjectEvent)> = events
            .iter()
            .filter_map(|recorded| match &recorded.event {
                DomainEventKind::Project(event) => Some((recorded, event)),
                _ => None,
            })
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        let known: Vec<Uuid> = events
            .iter()
            .filter(|(_, event)| !matches!(event, ProjectEvent::ProjectCreated { .. }))
            .map(|(recorded, _)| recorded.aggregate_id)
            .collect();
        let mut rows = BTreeMap::new();
        if !known.is_empty() {
            let loaded: Vec<Row> = sqlx::query_as("SELECT * FROM projects WHERE id = ANY($1)")
                .bind(known)
                .fetch_all(&mut *connection)
                .await?;
            rows.extend(loaded.into_iter().map(|row| (row.id, row)));
        }
        for (recorded, event) in events {
            fold(&mut rows, recorded, event);
        }
        store(rows.into_values().collect(), connection).await
    }
}

async fn store(rows: Vec<Row>, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($field:ident) => {
            rows.iter().map(|row| row.$field.clone()).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "INSERT INTO projects (id, organization_id, name, description, is_public, status, priority, start_date,
                               end_date, created_by, created_at, updated_at, version, deleted)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],
                              $8::date[], $9::date[], $10::uuid[], $11::timestamptz[], $12::timestamptz[],
                              $13::bigint[], $14::boolean[])
         ON CONFLICT (id) DO UPDATE
             SET (name, description, is_public, status, priority, start_date, end_date, updated_at, version, deleted) =
                 (excluded.name, excluded.description, excluded.is_public, excluded.status, excluded.priority,
                  excluded.start_date, excluded.end_date, excluded.updated_at, excluded.version, excluded.deleted)",
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
    .execute(connection)
    .await
    .map(drop)
}
