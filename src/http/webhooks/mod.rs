//! `POST /webhooks/identity`: what an identity provider tells of its people.

use axum::{body::Bytes, extract::State as Extract, http::HeaderMap};

use super::{
    State,
    reply::{NoContent, uncancellable},
};
use crate::identity::codes::SIGNATURE_INVALID;
use crate::{application::Error, clock::now};

/// Take in a signed message of an identity provider (Standard Webhooks, or Svix): `user.created`, `user.updated`,
/// `user.deleted`. Each message counts once, and older news of a person than is known is passed over.
#[utoipa::path(post, path = "/webhooks/identity", tag = "webhooks",
    operation_id = "receiveIdentityWebhook", security(()),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 401), (status = 404)))]
pub async fn identity(Extract(state): Extract<State>, headers: HeaderMap, body: Bytes) -> Result<NoContent, Error> {
    let Some(webhook) = state.identity.webhook() else { return Err(Error::not_found("webhook")) };
    let id = webhook
        .verify(&headers, &body, now())
        .map_err(|rejected| Error::refused(SIGNATURE_INVALID, rejected.to_string()))?;
    let identity = state.identity.clone();
    uncancellable(async move { identity.take_in(&id, &body).await }).await?;
    Ok(NoContent::unchanged())
}
