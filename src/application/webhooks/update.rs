//! Change what a webhook sends, where, and whether.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::webhook::{
    DisableReason, EndpointField, EventFilter, Webhook, WebhookCommand, WebhookPatch, WebhookState,
};

use super::{EndpointFields, WebhookPlace, authorize};
use crate::application::{Change, Command, Error, IfVersion, TableChange, Unit};

/// Change what a webhook sends, where, and whether.
#[derive(Clone, Debug)]
pub struct UpdateWebhook {
    /// The webhook to change.
    pub place: WebhookPlace,
    /// The new filter, if there is one; inside, none for all event types.
    pub event_types: Option<Option<EventFilter>>,
    /// Whether it is to send anything.
    pub enabled: Option<bool>,
    /// The new address.
    pub url: Option<String>,
    /// What people say about it from now on.
    pub description: Option<String>,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

/// A webhook as it stands after the change.
#[derive(Clone, Debug)]
pub struct UpdatedWebhook {
    /// The event types that it sends.
    pub event_types: Option<EventFilter>,
    /// Why it sends nothing, if it does not.
    pub disabled: Option<DisableReason>,
    /// What is outside the log.
    pub fields: EndpointFields,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
}

impl UpdateWebhook {
    /// What is outside the log after the change, and which of it changes. Where it has changed since it was read, the
    /// event names a field more than it need.
    fn change(&self, now: &EndpointFields) -> (EndpointFields, Vec<EndpointField>) {
        let fields = EndpointFields {
            url: self.url.clone().unwrap_or_else(|| now.url.clone()),
            description: self.description.clone().unwrap_or_else(|| now.description.clone()),
        };
        let changes = [
            (EndpointField::Url, fields.url != now.url),
            (EndpointField::Description, fields.description != now.description),
        ];
        (fields, changes.into_iter().filter_map(|(field, changes)| changes.then_some(field)).collect())
    }
}

impl Command for UpdateWebhook {
    type Reply = UpdatedWebhook;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.webhook_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<UpdatedWebhook, Error> {
        authorize(unit, self.place).await?;
        // What is outside the log is looked up, and has to be there.
        let webhook = unit.read_committed::<Webhook>(self.place.webhook_id).await?;
        webhook.state.of(self.place.project_id)?;
        self.if_version.check(webhook.sequence)?;
        let now = EndpointFields::find(unit.pool(), self.place.webhook_id).await?.ok_or(Error::Overtaken)?;
        let (fields, endpoint) = self.change(&now);
        let patch = WebhookPatch { event_types: self.event_types.clone(), enabled: self.enabled, endpoint };
        let updated = unit.decide(&webhook, WebhookCommand::Update(patch))?;
        let WebhookState { event_types, disabled, .. } = updated.state.of(self.place.project_id)?.clone();
        let changed = updated.sequence != webhook.sequence;
        Ok(UpdatedWebhook { event_types, disabled, fields, version: updated.sequence, changed })
    }
}

/// The same change of what is outside the log. One that is enabled begins without failures.
#[derive(Clone, Debug)]
pub struct UpdateEndpoint<'a>(pub &'a UpdateWebhook);

#[derive(Serialize)]
struct ChangedRow<'a> {
    id: Uuid,
    url: Option<&'a str>,
    description: Option<&'a str>,
    begins_anew: bool,
}

impl TableChange for UpdateEndpoint<'_> {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let Self(command) = self;
        let row = ChangedRow {
            id: command.place.webhook_id.into(),
            url: command.url.as_deref(),
            description: command.description.as_deref(),
            begins_anew: command.enabled == Some(true),
        };
        let update = Change::new(
            "UPDATE webhook_endpoints e
             SET url = COALESCE(a.url, e.url), description = COALESCE(a.description, e.description),
                 failed_in_row = CASE WHEN a.begins_anew THEN 0 ELSE e.failed_in_row END,
                 failing_since = CASE WHEN NOT a.begins_anew THEN e.failing_since END
             FROM jsonb_to_record($1) AS a (id uuid, url text, description text, begins_anew boolean)
             WHERE e.id = a.id",
            &row,
        )?;
        Ok(vec![update])
    }
}
