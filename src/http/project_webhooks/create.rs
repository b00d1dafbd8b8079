//! `POST /projects/{project_id}/webhooks`

use axum::{extract::State as Extract, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::ids::WebhookId;

use super::{
    destinations,
    model::Webhook,
    request::{description, event_filter},
    secret,
};
use crate::{
    application::{
        Error, all,
        webhooks::{CreateWebhook, EndpointFields, InsertEndpoint, SecretKey, SecretText, WebhookPlace},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, ProjectPath, RequestBody, WebhookPath},
        reply::{Created, rendered},
    },
    jobs::webhook::parse_address,
};

/// A webhook to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookRequest {
    /// The address that events are sent to: https, public, without user name, password and fragment.
    #[schema(example = "https://example.com/hooks/apollo", max_length = 2048)]
    url: String,
    /// The types of the events that are sent, such as `TaskCreated`; all when not given.
    #[schema(min_items = 1, max_items = 100)]
    event_types: Option<Vec<String>>,
    /// What there is to say about it.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// The secret that deliveries are signed with: `whsec_` and 24 to 64 bytes in base64. Made when not given.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

impl RequestBody for CreateWebhookRequest {
    const CLEARABLE: &'static [&'static str] = &["event_types"];
}

/// A webhook that was created, with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CreatedWebhook {
    /// The secret that deliveries are signed with (Standard Webhooks), told this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// What the webhook is, without its secret.
    #[serde(flatten)]
    about: Webhook,
}

/// Send a project's events to an address, each in the form of CloudEvents, signed as Standard Webhooks says. The secret is told
/// this once; with an `Idempotency-Key`, it is told again to whoever sends the same key and request again. A project
/// has twenty webhooks at most.
#[utoipa::path(post, path = "/projects/{project_id}/webhooks", tag = "webhooks", operation_id = "createWebhook")]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    key: ClientKey,
    Body { value, bytes }: Body<CreateWebhookRequest>,
) -> Result<Created<CreatedWebhook>, Error> {
    let (url, description, event_types, given) = all((
        parse_address("/url", &value.url, &destinations(&state)),
        description(value.description.as_deref()),
        value.event_types.as_deref().map(event_filter).transpose(),
        value.secret.as_deref().map(|secret| SecretText::parse("/secret", secret)).transpose(),
    ))?;
    let place = WebhookPlace { project_id, webhook_id: WebhookId(Uuid::now_v7()) };
    let (account_id, now) = (caller.identity.account_id.into(), caller.context.now);
    let about = Webhook {
        id: place.webhook_id.into(),
        project_id: project_id.into(),
        url: url.clone(),
        description: description.clone().unwrap_or_default(),
        event_types: event_types.as_ref().map(|filter| filter.names().to_vec()),
        enabled: true,
        disabled_reason: None,
        former_secret_until: None,
        created_by: account_id,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let location = WebhookPath { project_id, webhook_id: place.webhook_id }.location();
    let kept = rendered(StatusCode::CREATED, Some(location), Some(about.version), &about)?;
    let key = key.bind(&state, account_id, &bytes);
    let made = secret(&state, given.as_ref(), key.as_ref(), &kept.body)?;
    let sealed = SecretKey::open(state.app.pool()).await?.seal(place.webhook_id, &made)?;
    let fields = EndpointFields { url, description: about.description };
    let tables = InsertEndpoint { place, fields, secret: sealed };
    let command = CreateWebhook { place, event_types };
    let render = |_: &i64| Ok(kept.clone());
    let mut answer = state.app.create_with_tables(&caller.context, &command, &tables, key.clone(), render).await?;
    // A reply that was given before tells the secret that was made then.
    let made =
        if answer.replayed { secret(&state, given.as_ref(), key.as_ref(), &answer.rendered.body)? } else { made };
    let about = serde_json::from_str(&answer.rendered.body).map_err(Error::failure)?;
    let created = CreatedWebhook { secret: made.expose().to_owned(), about };
    answer.rendered.body = serde_json::to_string(&created).map_err(Error::failure)?;
    Ok(answer.into())
}
