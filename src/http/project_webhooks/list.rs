//! `GET /projects/{project_id}/webhooks`

use axum::extract::State as Extract;
use workroom_projections::webhooks;

use super::model::Webhook;
use crate::{
    application::{Error, webhooks::MANAGE},
    http::{
        State,
        extract::{Caller, ProjectPath, Query},
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// The webhooks of a project, the oldest first, without their secrets.
#[utoipa::path(get, path = "/projects/{project_id}/webhooks", tag = "webhooks", operation_id = "listWebhooks",
    responses((status = 403)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<PageParams>,
) -> Result<List<Webhook>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let look = webhooks::list(state.app.pool(), project_id, page);
    let (_, listed) = state.app.project_then(caller.identity.account_id, project_id, MANAGE, page.skip, look).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
