//! Send an event again.

use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{Job, Work},
    webhook::WebhookCommand,
};

use super::{WebhookPlace, authorized};
use crate::application::{Command, Error, Unit};

/// Send the event of an earlier delivery again. The delivery itself is a job, which follows from the event of this.
#[derive(Clone, Copy, Debug)]
pub struct RedeliverEvent {
    /// The webhook that sends it.
    pub place: WebhookPlace,
    /// The earlier delivery.
    pub earlier: JobId,
    /// The new delivery's id.
    pub delivery_id: JobId,
}

/// An event is to be sent again.
#[derive(Clone, Copy, Debug)]
pub struct RequestedDelivery {
    /// The event that is sent again.
    pub event_id: Uuid,
    /// Its place in the log.
    pub position: i64,
}

impl Command for RedeliverEvent {
    type Reply = RequestedDelivery;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.webhook_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<RequestedDelivery, Error> {
        let webhook = authorized(unit, self.place).await?;
        // What was asked for never changes: nothing to guard.
        let job = unit.peek::<Job>(self.earlier).await?;
        let (event_id, position) = match job.state.requested().map(|job| &job.request.work) {
            Ok(Work::WebhookDelivery { webhook_id, event_id, position }) if *webhook_id == self.place.webhook_id => {
                (*event_id, *position)
            }
            _ => return Err(Error::not_found("delivery")),
        };
        let redeliver = WebhookCommand::Redeliver { delivery_id: self.delivery_id, event_id, position };
        unit.decide(&webhook, redeliver)?;
        Ok(RequestedDelivery { event_id, position })
    }
}
