//! `DELETE /projects/{project_id}/webhooks/{webhook_id}`

use axum::extract::State as Extract;

use crate::{
    application::{
        Error,
        webhooks::{DeleteEndpoint, DeleteWebhook, WebhookPlace},
    },
    http::{
        State,
        extract::{Caller, IfMatch, WebhookPath},
        reply::Deleted,
    },
};

/// Delete a webhook. Its address and its secrets are forgotten; what waits to be delivered is given up.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/webhooks/{webhook_id}",
    tag = "webhooks",
    operation_id = "deleteWebhook"
)]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    WebhookPath { project_id, webhook_id }: WebhookPath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let command = DeleteWebhook { place: WebhookPlace { project_id, webhook_id }, if_version };
    let done = state.app.run_with_tables(&caller.context, &command, &DeleteEndpoint(webhook_id)).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
