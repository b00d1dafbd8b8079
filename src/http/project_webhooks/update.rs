//! `PATCH /projects/{project_id}/webhooks/{webhook_id}`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{Decide, webhook};
use workroom_projections::webhooks;

use super::{
    destinations,
    model::Webhook,
    request::{description, event_filter},
};
use crate::{
    application::{
        Error, all,
        webhooks::{UpdateEndpoint, UpdateWebhook, UpdatedWebhook, WebhookPlace},
    },
    http::{
        State,
        beside::{self, Before},
        extract::{Caller, IfMatch, Json, RequestBody, WebhookPath, double_option},
        reply::Updated,
    },
    jobs::webhook::parse_address,
};

const WEBHOOK: &str = webhook::Webhook::TYPE;

/// The fields to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhookRequest {
    /// The new address.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// The types of the events that are sent from now on; null for all.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Option<Option<Vec<String>>>,
    /// What there is to say about it from now on.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// Whether it is to send anything. What happens while it does not is not sent later. It acts for the account that
    /// enables it, and is disabled when that account may not manage the project's webhooks any more.
    enabled: Option<bool>,
}

impl RequestBody for UpdateWebhookRequest {
    const CLEARABLE: &'static [&'static str] = &["event_types"];
}

/// Change the given fields of a webhook. One that was disabled is enabled again with `enabled: true`.
#[utoipa::path(
    patch,
    path = "/projects/{project_id}/webhooks/{webhook_id}",
    tag = "webhooks",
    operation_id = "updateWebhook"
)]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    WebhookPath { project_id, webhook_id }: WebhookPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateWebhookRequest>,
) -> Result<Updated<Webhook>, Error> {
    let event_types = match &request.event_types {
        Some(Some(names)) => event_filter(names).map(|filter| Some(Some(filter))),
        Some(None) => Ok(Some(None)),
        None => Ok(None),
    };
    let (url, description, event_types) = all((
        request.url.as_deref().map(|url| parse_address("/url", url, &destinations(&state))).transpose(),
        description(request.description.as_deref()),
        event_types,
    ))?;
    let place = WebhookPlace { project_id, webhook_id };
    let command = UpdateWebhook { place, event_types, enabled: request.enabled, url, description, if_version };
    let look = webhooks::find(state.app.pool(), project_id, webhook_id);
    let before = Before::read(&caller, look, state.app.creation(WEBHOOK, webhook_id.into())).await?;
    let done = state.app.run_with_tables(&caller.context, &command, &UpdateEndpoint(&command)).await?;
    let UpdatedWebhook { event_types, disabled, fields, version, changed: is_new } = done.reply;
    let log = beside::cause(&state, WEBHOOK, webhook_id.into(), version);
    let updated_at = before.last_change(&caller, is_new, version, log).await?.at;
    let webhook = Webhook {
        id: webhook_id.into(),
        project_id: project_id.into(),
        url: fields.url,
        description: fields.description,
        event_types: event_types.map(|filter| filter.names().to_vec()),
        enabled: disabled.is_none(),
        disabled_reason: disabled.map(|reason| reason.as_str().to_owned()),
        former_secret_until: before.row.as_ref().and_then(|row| row.former_secret_until),
        created_by: before.creation.by,
        created_at: before.creation.at,
        updated_at,
        version,
    };
    Ok(Updated::new(done.position, done.visible, version, &webhook))
}
