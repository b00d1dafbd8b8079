//! `GET /projects/{project_id}/webhooks/{webhook_id}`

use axum::extract::State as Extract;
use workroom_projections::webhooks;

use super::model::Webhook;
use crate::{
    application::{Error, webhooks::MANAGE},
    http::{
        State,
        extract::{Caller, IfNoneMatch, Query, WebhookPath},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One webhook of a project, without its secret.
#[utoipa::path(get, path = "/projects/{project_id}/webhooks/{webhook_id}", tag = "webhooks",
    operation_id = "getWebhook", responses((status = 403)))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    WebhookPath { project_id, webhook_id }: WebhookPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Webhook>, Error> {
    at_position(&state, params.min_position).await?;
    let look = webhooks::find(state.app.pool(), project_id, webhook_id);
    let (_, row) = state.app.project_with(caller.identity.account_id, project_id, MANAGE, look).await?;
    let webhook = Webhook::from(row.ok_or(Error::not_found("webhook"))?);
    // A former secret ends without an event.
    let representation = Representation::by_content_if(webhook.former_secret_until.is_some());
    OkOrNotModified::new(&known, webhook.version, representation, &webhook)
}
