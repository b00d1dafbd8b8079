//! Folds webhook events into `views.webhooks`. The webhooks of a project go with it.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    project::{Project, ProjectEvent},
    webhook::{Webhook, WebhookEvent},
};

use crate::{
    Projection,
    changes::{Changes, Table},
    log::Recorded,
};

/// The projection behind `views.webhooks`.
pub struct Webhooks;

const WEBHOOKS: Table = Table::new("webhooks", &["id"]).part_of("project_id");

impl Projection for Webhooks {
    fn tables(&self) -> &'static [Table] {
        &[WEBHOOKS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Webhook::TYPE, Project::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        match &recorded.event {
            DomainEventKind::Webhook(event) => apply_webhook(recorded, event, changes),
            DomainEventKind::Project(ProjectEvent::ProjectDeleted {}) => {
                changes.delete_parts(&WEBHOOKS, recorded.aggregate_id);
            }
            _ => {}
        }
    }
}

fn apply_webhook(recorded: &Recorded, event: &WebhookEvent, changes: &mut Changes) {
    let id = recorded.aggregate_id;
    match event {
        WebhookEvent::WebhookCreated { project_id, event_types } => {
            let webhook = changes.create(&WEBHOOKS, id);
            webhook.set("project_id", project_id).set("event_types", event_types);
            webhook.set("sends_from", recorded.position).set("acts_for", recorded.actor()).created(recorded);
        }
        WebhookEvent::WebhookFilterChanged { to, .. } => {
            changes.change(&WEBHOOKS, id).set("event_types", to).updated(recorded);
        }
        WebhookEvent::WebhookEnabled {} => {
            let webhook = changes.change(&WEBHOOKS, id);
            webhook.set("disabled_reason", ()).set("sends_from", recorded.position);
            webhook.set("acts_for", recorded.actor()).updated(recorded);
        }
        WebhookEvent::WebhookDisabled { reason } => {
            changes.change(&WEBHOOKS, id).set("disabled_reason", reason.as_str()).updated(recorded);
        }
        WebhookEvent::WebhookEndpointChanged { .. }
        | WebhookEvent::WebhookSecretRotated {}
        | WebhookEvent::WebhookRedeliveryRequested { .. } => {
            changes.change(&WEBHOOKS, id).updated(recorded);
        }
        WebhookEvent::WebhookDeleted {} => changes.delete(&WEBHOOKS, id),
    }
}
