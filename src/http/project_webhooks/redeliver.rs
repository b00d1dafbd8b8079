//! `POST /projects/{project_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver`

use axum::{extract::State as Extract, http::StatusCode};
use uuid::Uuid;
use workroom_domain::ids::JobId;
use workroom_projections::webhooks;

use super::model::Delivery;
use crate::{
    application::{
        Error,
        webhooks::{RedeliverEvent, WebhookPlace},
    },
    http::{
        State, beside,
        extract::{Caller, ClientKey, DeliveryPath},
        reply::{Accepted, rendered},
    },
};

/// Send the event of a delivery again, whatever became of that. The new delivery is the first of the list, a moment
/// later; its `webhook-id` is the same.
#[utoipa::path(
    post,
    path = "/projects/{project_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    tag = "webhooks",
    operation_id = "redeliverWebhookEvent"
)]
pub async fn redeliver(
    Extract(state): Extract<State>,
    caller: Caller,
    DeliveryPath { project_id, webhook_id, delivery_id: earlier }: DeliveryPath,
    key: ClientKey,
) -> Result<Accepted<Delivery>, Error> {
    let place = WebhookPlace { project_id, webhook_id };
    let command = RedeliverEvent { place, earlier, delivery_id: JobId(Uuid::now_v7()) };
    let key = key.bind(&state, caller.identity.account_id.into(), &[]);
    let known = beside::added(webhooks::delivery(state.app.pool(), webhook_id, earlier)).await?;
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |requested| {
            let delivery = Delivery {
                id: command.delivery_id.into(),
                webhook_id: webhook_id.into(),
                event_id: requested.event_id,
                event_type: known.as_ref().and_then(|known| known.event_type.clone()),
                position: requested.position,
                status: "pending".to_owned(),
                attempts: 0,
                response_status: None,
                failure: None,
                last_attempt_at: None,
                next_attempt_at: Some(now),
                created_at: now,
                completed_at: None,
            };
            rendered(StatusCode::ACCEPTED, None, None, &delivery)
        })
        .await
        .map(Accepted::from)
}
