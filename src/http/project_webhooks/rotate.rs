//! `POST /projects/{project_id}/webhooks/{webhook_id}/secret`

use axum::{extract::State as Extract, http::StatusCode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::secret;
use crate::{
    application::{
        Error,
        webhooks::{FORMER_SECRET_LIFETIME, ReplaceSecret, RotateSecret, SecretKey, SecretText, WebhookPlace},
    },
    http::{
        State,
        extract::{Caller, ClientKey, OptionalBody, RequestBody, WebhookPath},
        reply::{Created, rendered},
    },
};

/// The secret to sign with from now on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecretRequest {
    /// `whsec_` and 24 to 64 bytes in base64. Made when not given.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

impl RequestBody for RotateSecretRequest {}

/// Whose secret changed, and how long the one before signs, too.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretRotation {
    /// The webhook.
    webhook_id: Uuid,
    /// Until when deliveries carry a signature with the secret before, beside the one with the new secret.
    #[serde(with = "time::serde::rfc3339")]
    former_secret_until: OffsetDateTime,
}

/// A new secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RotatedSecret {
    /// The new secret, told this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// Whose it is.
    #[serde(flatten)]
    about: SecretRotation,
}

/// Sign with another secret. For a day, deliveries carry a signature with the secret before, too. The new one is told
/// this once; with an `Idempotency-Key`, it is told again to whoever sends the same key and request again.
#[utoipa::path(
    post,
    path = "/projects/{project_id}/webhooks/{webhook_id}/secret",
    tag = "webhooks",
    operation_id = "rotateWebhookSecret"
)]
pub async fn rotate(
    Extract(state): Extract<State>,
    caller: Caller,
    WebhookPath { project_id, webhook_id }: WebhookPath,
    key: ClientKey,
    OptionalBody { value, bytes }: OptionalBody<RotateSecretRequest>,
) -> Result<Created<RotatedSecret>, Error> {
    let given = value.secret.as_deref().map(|secret| SecretText::parse("/secret", secret)).transpose()?;
    let former_until = caller.context.now + FORMER_SECRET_LIFETIME;
    let about = SecretRotation { webhook_id: webhook_id.into(), former_secret_until: former_until };
    let location = WebhookPath { project_id, webhook_id }.location();
    let body = serde_json::to_string(&about).map_err(Error::failure)?;
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let made = secret(&state, given.as_ref(), key.as_ref(), &body)?;
    let sealed = SecretKey::open(state.app.pool()).await?.seal(webhook_id, &made)?;
    let tables = ReplaceSecret { webhook_id, secret: sealed, former_until };
    let command = RotateSecret { place: WebhookPlace { project_id, webhook_id } };
    let render = |version: &i64| rendered(StatusCode::CREATED, Some(location.clone()), Some(*version), &about);
    let mut answer = state.app.create_with_tables(&caller.context, &command, &tables, key.clone(), render).await?;
    let made =
        if answer.replayed { secret(&state, given.as_ref(), key.as_ref(), &answer.rendered.body)? } else { made };
    let about = serde_json::from_str(&answer.rendered.body).map_err(Error::failure)?;
    let rotated = RotatedSecret { secret: made.expose().to_owned(), about };
    answer.rendered.body = serde_json::to_string(&rotated).map_err(Error::failure)?;
    Ok(answer.into())
}
