//! Which jobs are deliveries of which webhook: `views.webhook_deliveries`. How far each is, `views.jobs` tells. They go with the
//! webhook, and with its project.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::{Job, JobEvent, Request, Work},
    project::{Project, ProjectEvent},
    webhook::{Webhook, WebhookEvent},
};

use crate::{
    Projection,
    changes::{Changes, Table},
    log::Recorded,
};

/// The projection behind `views.webhook_deliveries`.
pub struct WebhookDeliveries;

const DELIVERIES: Table = Table::new("webhook_deliveries", &["id"]).part_of("webhook_id").part_of("project_id");

impl Projection for WebhookDeliveries {
    fn tables(&self) -> &'static [Table] {
        &[DELIVERIES]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Job::TYPE, Webhook::TYPE, Project::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        match &recorded.event {
            DomainEventKind::Job(JobEvent::JobRequested(request)) => ask(recorded, request, changes),
            DomainEventKind::Webhook(WebhookEvent::WebhookDeleted {})
            | DomainEventKind::Project(ProjectEvent::ProjectDeleted {}) => {
                changes.delete_parts(&DELIVERIES, recorded.aggregate_id);
            }
            _ => {}
        }
    }
}

fn ask(recorded: &Recorded, request: &Request, changes: &mut Changes) {
    if let Work::WebhookDelivery { webhook_id, event_id, position } = &request.work {
        let delivery = changes.create(&DELIVERIES, recorded.aggregate_id);
        delivery.set("webhook_id", webhook_id).set("project_id", request.project_id);
        delivery.set("event_id", event_id).set("event_position", position);
    }
}
