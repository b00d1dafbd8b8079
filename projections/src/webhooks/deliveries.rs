//! Which jobs are deliveries of which webhook: `views.webhook_deliveries`. How far each is, `views.jobs` tells.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::{Job, JobEvent, Work},
};

use crate::{
    Projection,
    changes::{Changes, Table},
    log::Recorded,
};

/// The projection behind `views.webhook_deliveries`.
pub struct WebhookDeliveries;

const DELIVERIES: Table = Table::new("webhook_deliveries", &["id"]);

impl Projection for WebhookDeliveries {
    fn tables(&self) -> &'static [Table] {
        &[DELIVERIES]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Job::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::Job(JobEvent::JobRequested(request)) = &recorded.event else { return };
        if let Work::WebhookDelivery { webhook_id, event_id, position } = &request.work {
            let delivery = changes.create(&DELIVERIES, recorded.aggregate_id);
            delivery.set("webhook_id", webhook_id).set("event_id", event_id).set("event_position", position);
        }
    }
}
