//! Folds project events into `views.projects`.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    project::{Project, ProjectEvent},
    redaction::Placeholder,
};

use crate::{
    Projection,
    changes::{Changes, Table},
    log::Recorded,
};

/// The projection behind `views.projects`.
pub struct Projects;

const PROJECTS: Table = Table::new("projects", &["id"]);

const TEXTS: &[(&str, Placeholder)] = &[("name", Placeholder::Text), ("description", Placeholder::Text)];

impl Projection for Projects {
    fn tables(&self) -> &'static [Table] {
        &[PROJECTS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Project::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::Project(event) = &recorded.event else { return };
        let id = recorded.aggregate_id;
        match event {
            ProjectEvent::ProjectCreated { organization_id, fields } => {
                let project = changes.create(&PROJECTS, id);
                project.set("organization_id", organization_id).set_all(fields).set("deleted", false).created(recorded);
            }
            ProjectEvent::ProjectUpdated { changes: fields } => {
                changes.change(&PROJECTS, id).set_all(fields).updated(recorded);
            }
            ProjectEvent::ProjectDeleted {} => {
                changes.change(&PROJECTS, id).set("deleted", true).updated(recorded);
            }
            ProjectEvent::PayloadRedacted(redacted) => {
                changes.change(&PROJECTS, id).redact(redacted, TEXTS).updated(recorded);
            }
            ProjectEvent::ProjectPurgeOrdered { .. } => {
                changes.change(&PROJECTS, id).updated(recorded);
            }
        }
    }
}
