//! Let a webhook send nothing any more, as the service decides.

use uuid::Uuid;
use workroom_domain::{
    ids::WebhookId,
    webhook::{DisableReason, Webhook, WebhookCommand},
};

use crate::application::{Command, Error, Unit};

/// Let a webhook send nothing any more. One that sends nothing, or is gone, stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct DisableWebhook {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Why.
    pub reason: DisableReason,
}

impl Command for DisableWebhook {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.webhook_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let webhook = unit.read::<Webhook>(self.webhook_id).await?;
        unit.decide(&webhook, WebhookCommand::Disable { reason: self.reason })?;
        Ok(())
    }
}
