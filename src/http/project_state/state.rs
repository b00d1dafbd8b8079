//! `GET /projects/{project_id}/state`

use axum::{
    extract::State as Extract,
    http::Method,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use workroom_projections::state::snapshots::latest;

use super::{
    MOST, document,
    fold::{fold_to, nearest},
    insist_on_epoch,
    model::ProjectState,
    moment::Moments,
    permit::{OF_ACCOUNTS, Permit, blocking},
    record,
    send::{Outgoing, without_body},
    snapshots,
};
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, ProjectPath, Query},
        history::{Visibility, project_visibility},
        openapi::{
            operation::{OperationDoc, Output},
            schemas::Use,
        },
        reply::at_position,
    },
};

/// The query parameters of `GET /projects/{project_id}/state`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StateParams {
    /// The moment: a place of the project's history (`12`), a place with the epoch that it is of (`<epoch>.12`), or a time
    /// (RFC 3339), which stands for the last event that was recorded by then. Now, where it is not given.
    as_of: Option<String>,
    /// Wait, for a bounded time, until the log has reached this position.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// A state that was written.
pub struct StateDocument(Response);

impl IntoResponse for StateDocument {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for StateDocument {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<ProjectState>(Use::Reply);
        doc.gives("200", "The project as it was.", Some(("application/json", body)));
    }
}

/// A project as it was at a moment of its history, or as it is, with all that is in it. A visitor of a public project is given the
/// project, tasks and comments. The project's history tells who has read it so; a visitor's reading it does not.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/state",
    tag = "history",
    operation_id = "getProjectState",
    responses((status = 409))
)]
pub async fn read(
    Extract(state): Extract<State>,
    method: Method,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<StateParams>,
) -> Result<StateDocument, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let visibility = project_visibility(&state, account_id, project_id).await?;
    let moments = Moments::of(&[("/as_of", params.as_of.as_deref())])?;
    if method == Method::HEAD {
        return Ok(StateDocument(without_body()));
    }
    let of_account = OF_ACCOUNTS.take(account_id)?;
    let (moments, head) = moments.find(&state, project_id).await?;
    let [moment] = moments[..] else { return Err(Error::failure("one moment was asked for")) };
    let permit = Permit::take(of_account).await?;
    let (pool, until) = (state.app.pool(), moment.place.seq);
    let latest = latest(pool, project_id.into(), moment.epoch).await?;
    snapshots::begin_where_due(pool, project_id, latest, head);
    let fold = nearest(pool, project_id, moment.epoch, until, &permit).await?;
    let fold = fold_to(pool, project_id, fold, until, &permit).await?;
    let is_visitor = visibility == Visibility::Visitor;
    let document = blocking(&permit, move || document::state(&moment, fold.memory, is_visitor, MOST)).await??;
    let outgoing = Outgoing::new(document, &permit).await?;
    insist_on_epoch(pool, &moment).await?;
    if !is_visitor {
        record(&state, &caller, &moment).await?;
    }
    // Not before: what was folded is in memory until it is sent, or has a place to be sent from.
    drop(permit);
    Ok(StateDocument(outgoing.response()))
}
