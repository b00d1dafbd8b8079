//! End a webhook for good.

use uuid::Uuid;
use workroom_domain::{ids::WebhookId, webhook::WebhookCommand};

use super::{WebhookPlace, authorized};
use crate::application::{Change, Command, Error, IfVersion, TableChange, Unit};

/// End a webhook for good. What waits to be delivered is given up.
#[derive(Clone, Debug)]
pub struct DeleteWebhook {
    /// The webhook to delete.
    pub place: WebhookPlace,
    /// The version that the deletion is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for DeleteWebhook {
    /// Sequence of the last event of what is gone.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.webhook_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let webhook = authorized(unit, self.place).await?;
        self.if_version.check(webhook.sequence)?;
        Ok(unit.decide(&webhook, WebhookCommand::Delete)?.sequence)
    }
}

/// Forgets where a webhook sent events, and what was answered there.
#[derive(Clone, Copy, Debug)]
pub struct DeleteEndpoint(pub WebhookId);

impl TableChange for DeleteEndpoint {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let id = Uuid::from(self.0);
        Ok(vec![Change::new("DELETE FROM webhook_endpoints WHERE id = ($1 #>> '{}')::uuid", &id)?])
    }
}
