//! `GET /projects/{project_id}/webhooks/{webhook_id}/deliveries`

use axum::extract::State as Extract;
use workroom_projections::webhooks;

use super::model::Delivery;
use crate::{
    application::{Error, webhooks::MANAGE},
    http::{
        State,
        extract::{Caller, Query, WebhookPath},
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// The deliveries to a webhook's address, the newest first.
#[utoipa::path(get, path = "/projects/{project_id}/webhooks/{webhook_id}/deliveries", tag = "webhooks",
    operation_id = "listWebhookDeliveries", responses((status = 403)))]
pub async fn list_deliveries(
    Extract(state): Extract<State>,
    caller: Caller,
    WebhookPath { project_id, webhook_id }: WebhookPath,
    Query(params): Query<PageParams>,
) -> Result<List<Delivery>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let pool = state.app.pool();
    let look = async {
        tokio::try_join!(webhooks::find(pool, project_id, webhook_id), webhooks::deliveries(pool, webhook_id, page))
    };
    let (_, (webhook, listed)) =
        state.app.project_then(caller.identity.account_id, project_id, MANAGE, page.skip, look).await?;
    webhook.ok_or(Error::not_found("webhook"))?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
