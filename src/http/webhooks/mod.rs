//! `POST /webhooks/identity`: what an identity provider tells of its people.

use axum::{
    body::Bytes,
    extract::State as Extract,
    http::{HeaderMap, StatusCode},
};

use super::State;
use crate::identity::codes::SIGNATURE_INVALID;
use crate::{application::Error, clock::now};

/// Take in a signed message of an identity provider (Standard Webhooks, or Svix): `user.created`, `user.updated`,
/// `user.deleted`. Each message counts once, and older news of a person than is known is passed over.
#[utoipa::path(post, path = "/webhooks/identity", tag = "webhooks", security(()),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 204, description = "Taken in, or known before"),
              (status = 401, description = "The signature does not hold, or is too old",
               body = crate::http::problem::ProblemDetails, content_type = "application/problem+json")))]
pub async fn identity(Extract(state): Extract<State>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Error> {
    let Some(webhook) = state.identity.webhook() else { return Err(Error::not_found("webhook")) };
    let id = webhook
        .verify(&headers, &body, now())
        .map_err(|rejected| Error::refused(SIGNATURE_INVALID, rejected.to_string()))?;
    let identity = state.identity.clone();
    super::reply::to_its_end(async move { identity.take_in(&id, &body).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
