//! `GET /projects/{project_id}/diff`

use std::sync::Arc;

use axum::{
    extract::State as Extract,
    http::Method,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sqlx::PgPool;
use utoipa::IntoParams;
use workroom_projections::state::{
    Fold,
    snapshots::{latest, spacing},
};

use super::{
    MOST, Moment, document,
    fold::{fold_to, nearest},
    insist_on_epoch,
    model::ProjectDiff,
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

/// The query parameters of `GET /projects/{project_id}/diff`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DiffParams {
    /// The one moment, as `as_of` of the state; the first event, where it is not given.
    from: Option<String>,
    /// The other moment, which may be the earlier one; now, where it is not given.
    to: Option<String>,
    /// Wait, for a bounded time, until the log has reached this position.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// A difference that was written.
pub struct DiffDocument(Response);

impl IntoResponse for DiffDocument {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for DiffDocument {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<ProjectDiff>(Use::Reply);
        doc.gives("200", "What differs.", Some(("application/json", body)));
    }
}

/// What differs between a project at one moment and at another, field by field. A visitor of a public project is told what became of
/// the project, tasks and comments.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/diff",
    tag = "history",
    operation_id = "getProjectDiff",
    responses((status = 409))
)]
pub async fn read(
    Extract(state): Extract<State>,
    method: Method,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<DiffParams>,
) -> Result<DiffDocument, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let visibility = project_visibility(&state, account_id, project_id).await?;
    let from = params.from.as_deref().unwrap_or("1");
    let moments = Moments::of(&[("/from", Some(from)), ("/to", params.to.as_deref())])?;
    if method == Method::HEAD {
        return Ok(DiffDocument(without_body()));
    }
    let of_account = OF_ACCOUNTS.take(account_id)?;
    let (moments, head) = moments.find(&state, project_id).await?;
    let [from, to] = moments[..] else { return Err(Error::failure("two moments were asked for")) };
    let permit = Permit::take(of_account).await?;
    let (earlier, later) = (from.place.seq.min(to.place.seq), from.place.seq.max(to.place.seq));
    let pool = state.app.pool();
    let latest = latest(pool, project_id.into(), from.epoch).await?;
    snapshots::begin_where_due(pool, project_id, latest, head);
    let is_far = later - earlier > spacing(head, latest.bytes.into());
    let (start, mut fold) = fold_both(pool, &from, (earlier, later), is_far, &permit).await?;
    let is_visitor = visibility == Visibility::Visitor;
    let write = move || {
        if let Some(start) = start {
            fold.memory.since(start.memory);
        }
        document::diff((&from, &to), &fold.memory, is_visitor, MOST)
    };
    let document = blocking(&permit, write).await??;
    let outgoing = Outgoing::new(document, &permit).await?;
    insist_on_epoch(pool, &from).await?;
    if !is_visitor {
        record(&state, &caller, &from).await?;
        if earlier != later {
            record(&state, &caller, &to).await?;
        }
    }
    // Not before: what was folded is in memory until it is sent, or has a place to be sent from.
    drop(permit);
    Ok(DiffDocument(outgoing.response()))
}

/// The project at the later one of two places, which has watched what happened since the earlier one. Where they lie far from each
/// other, and a state between them is kept, each is folded from its own beginning, and nothing has watched: the earlier one is the
/// first.
async fn fold_both(
    pool: &PgPool,
    moment: &Moment,
    (earlier, later): (i64, i64),
    is_far: bool,
    permit: &Arc<Permit>,
) -> Result<(Option<Fold>, Fold), Error> {
    let (project_id, epoch) = (moment.project_id, moment.epoch);
    let until = if is_far { later } else { earlier };
    let fold = nearest(pool, project_id, epoch, until, permit).await?;
    if fold.seq > earlier {
        let start = nearest(pool, project_id, epoch, earlier, permit).await?;
        let start = fold_to(pool, project_id, start, earlier, permit).await?;
        let fold = fold_to(pool, project_id, fold, later, permit).await?;
        return Ok((Some(start), fold));
    }
    let mut fold = fold_to(pool, project_id, fold, earlier, permit).await?;
    fold.memory.watch();
    Ok((None, fold_to(pool, project_id, fold, later, permit).await?))
}
