//! Send a project's events somewhere.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::webhook::{EventFilter, Webhook, WebhookCommand};

use super::{EndpointFields, SealedSecret, WebhookPlace, authorize, codes::TOO_MANY_WEBHOOKS};
use crate::application::{Bytea, Change, Command, Error, TableChange, Unit};

/// Most webhooks of a project.
const MOST_OF_PROJECT: i64 = 20;

/// Send a project's events somewhere.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// Where; its id is new.
    pub place: WebhookPlace,
    /// The event types that are sent; all of them without a filter.
    pub event_types: Option<EventFilter>,
}

impl Command for CreateWebhook {
    /// Sequence of its last event.
    type Reply = i64;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        authorize(unit, self.place).await?;
        let WebhookPlace { project_id, webhook_id } = self.place;
        let create = WebhookCommand::Create { project_id, event_types: self.event_types.clone() };
        Ok(unit.decide::<Webhook>(&Unit::new_aggregate(webhook_id), create)?.sequence)
    }
}

/// Keeps what is outside the log, unless the project has as many webhooks as it may have.
#[derive(Clone, Debug)]
pub struct InsertEndpoint {
    /// The webhook that it is of.
    pub place: WebhookPlace,
    /// Its address, and what people say about it.
    pub fields: EndpointFields,
    /// What it signs with.
    pub secret: SealedSecret,
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: Uuid,
    project_id: Uuid,
    url: &'a str,
    description: &'a str,
    secret: Bytea<'a>,
    most: i64,
}

impl TableChange for InsertEndpoint {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let row = NewRow {
            id: self.place.webhook_id.into(),
            project_id: self.place.project_id.into(),
            url: &self.fields.url,
            description: &self.fields.description,
            secret: Bytea(&self.secret.0),
            most: MOST_OF_PROJECT,
        };
        // Who is counted must not be added to meanwhile.
        let turn = Change::new("SELECT pg_advisory_xact_lock(7770014, hashtext($1->>'project_id'))", &row)?;
        let insert = Change::new(
            "INSERT INTO webhook_endpoints (id, project_id, url, description, secret)
             SELECT a.id, a.project_id, a.url, a.description, a.secret
             FROM jsonb_to_record($1)
                  AS a (id uuid, project_id uuid, url text, description text, secret bytea, most bigint)
             WHERE (SELECT count(*) FROM webhook_endpoints e WHERE e.project_id = a.project_id) < a.most",
            &row,
        )?;
        Ok(vec![turn, insert.or(|| TOO_MANY_WEBHOOKS.into())])
    }
}
