//! `GET /projects/{project_id}/events/export` and `GET /organizations/{organization_id}/events/export`: a history as a file that
//! proves itself.

mod pieces;

use std::{io, time::Duration};

use axum::{
    body::Body,
    extract::State as Extract,
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use utoipa::IntoParams;
use workroom_domain::{
    access::{Action, OrganizationAction},
    ids::AccountId,
};
use workroom_projections::log;

use self::pieces::Pieces;
use crate::{
    application::{
        Error,
        audit::{AuditedFeed, RecordExport},
        codes::{FORBIDDEN, OUT_OF_RANGE, VIEWS_BEHIND},
    },
    audit::export::{Asked, Export, ExportError, Scope},
    http::{
        State,
        extract::{Caller, OrganizationPath, ProjectPath, Query},
        openapi::operation::{OperationDoc, Output, text},
        places::{AccountPlace, AccountPlaces, next_place},
        reply::at_position,
    },
};

/// Exports that this process writes at a time: each has a page of events in memory.
static WRITING: Semaphore = Semaphore::const_new(8);
/// The same for an account, so that one whose client reads slowly does not keep out all others.
static WRITING_FOR_ACCOUNTS: AccountPlaces<OnePlace> = AccountPlaces::new(2, RETRY_AFTER);
/// Exports that this process prepares at a time: that may take minutes, and connections to the database that others need. Of an
/// account it prepares one.
static PREPARING: Semaphore = Semaphore::const_new(2);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The query parameters of an export.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExportParams {
    /// Only what is behind this position of the log: to go on where a file was cut.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Have the file prove that the log of this size, of which you hold a checkpoint, is the beginning of what it is now.
    #[param(minimum = 1)]
    consistency_from: Option<i64>,
    /// Wait, for a bounded time, until the log has reached this position.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// A file.
pub struct ExportFile(Response);

impl IntoResponse for ExportFile {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for ExportFile {
    fn describe(doc: &mut OperationDoc) {
        let about = "One JSON object a line: a header, each event, and an end. Packed by gzip for who accepts that.";
        doc.gives("200", about, Some(("application/x-ndjson", text().into())));
        doc.refuses(&["403", "429", "503"]);
    }
}

/// A project's whole history as a file that can be verified without the service: `workroom audit verify`. For members, and for
/// admins and auditors of its organization; of a deleted project, for who owned it. The export itself becomes a part of the history.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/events/export",
    tag = "history",
    operation_id = "exportProjectEvents"
)]
pub async fn export_project(
    Extract(state): Extract<State>,
    method: Method,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<ExportParams>,
    headers: HeaderMap,
) -> Result<ExportFile, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let project = state.app.project_or_former(account_id, project_id, Action::ViewHistory).await?;
    if project.is_some_and(|project| !project.relation.0.reads_whole_history()) {
        return Err(FORBIDDEN.into());
    }
    let of = (Scope::Project(project_id.into()), AuditedFeed::Project(project_id));
    export(&state, &caller, of, &params, (&method, &headers)).await
}

/// An organization's whole history, with those of all its projects, deleted ones included, as a file that can be verified without
/// the service. For its admins and auditors. The export itself becomes a part of the history.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/events/export",
    tag = "history",
    operation_id = "exportOrganizationEvents"
)]
pub async fn export_organization(
    Extract(state): Extract<State>,
    method: Method,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    Query(params): Query<ExportParams>,
    headers: HeaderMap,
) -> Result<ExportFile, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let action = OrganizationAction::Audit;
    let organization = state.app.organization_for_action(account_id, organization_id, action).await?;
    // Nobody exports a personal one with all its projects: its admin has no right above their memberships. The note of the export asks
    // the same of the log, but only once the export is prepared.
    if organization.is_personal {
        return Err(FORBIDDEN.into());
    }
    let of = (Scope::Organization(organization_id.into()), AuditedFeed::Organization(organization_id));
    export(&state, &caller, of, &params, (&method, &headers)).await
}

async fn export(
    state: &State,
    caller: &Caller,
    (scope, feed): (Scope, AuditedFeed),
    params: &ExportParams,
    (method, headers): (&Method, &HeaderMap),
) -> Result<ExportFile, Error> {
    let after = params.after.unwrap_or_default();
    if after < 0 {
        return Err(Error::invalid("/after", OUT_OF_RANGE, "must not be negative"));
    }
    let consistency_from = match params.consistency_from {
        Some(size) if size < 1 => {
            return Err(Error::invalid("/consistency_from", OUT_OF_RANGE, "must be at least 1"));
        }
        size => size.map(i64::unsigned_abs),
    };
    insist_on_past(state, after, consistency_from).await?;
    if method == Method::HEAD {
        let nothing = Body::from_stream(stream::empty::<io::Result<Bytes>>());
        return file(nothing, scope, accepts_gzip(headers));
    }
    // Also of one that nobody waits for in the end: what it costs is done before the first byte.
    caller.take_write()?;
    let permit = Permit::take(caller.identity.account_id).await?;
    let preparing = permit.to_prepare().await?;
    let trees = state.app.trees();
    let asked = Asked { scope, after, consistency_from };
    let export = Export::prepare(state.app.pool(), trees, &asked).await.map_err(refused)?;
    drop(preparing);
    // Auditors are audited: nothing is handed over before that is in the log. It asks for the right once more, by the log.
    let record = RecordExport { feed, after: export.after(), until: export.until() };
    state.app.run(&caller.context, &record).await?;

    let packs = accepts_gzip(headers);
    let (pieces, written) = mpsc::channel(1);
    // A task of its own: a body whose reader stands still is not asked for more, and could not give up its place.
    tokio::spawn(async move {
        let mut sink = Pieces::new(pieces);
        let nothing = |_: i64| {};
        let done = if packs {
            export.write(&mut sink.packed(), &nothing).await
        } else {
            export.write(&mut sink.plain(), &nothing).await
        };
        drop(permit);
        if let Err(error) = done {
            tracing::debug!(error = &error as &dyn std::error::Error, "an export was not written to its end");
            sink.break_off().await;
        }
    });
    let body = stream::unfold(written, async |mut written| written.recv().await.map(|piece| (piece, written)));
    file(Body::from_stream(body), scope, packs)
}

/// Insists that the log has come to the positions that an export is to begin behind.
async fn insist_on_past(state: &State, after: i64, consistency_from: Option<u64>) -> Result<(), Error> {
    let until = log::head(state.app.pool()).await?;
    if after > until {
        return Err(refused(ExportError::Beyond { after, until }));
    }
    let size = until.unsigned_abs();
    match consistency_from {
        Some(from) if from > size => Err(refused(ExportError::NeverSoLarge { from, until: size })),
        _ => Ok(()),
    }
}

/// The reply that a file is.
fn file(body: Body, scope: Scope, packs: bool) -> Result<ExportFile, Error> {
    let name = match scope {
        Scope::Project(id) | Scope::Organization(id) => id.to_string(),
        Scope::All(_) => "log".to_owned(),
    };
    let disposition = format!("attachment; filename=\"{name}.ndjson\"");
    let mut response = body.into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    fields.insert(header::CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(Error::failure)?);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if packs {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(ExportFile(response))
}

fn refused(error: ExportError) -> Error {
    match error {
        ExportError::Beyond { .. } => Error::invalid("/after", OUT_OF_RANGE, error.to_string()),
        ExportError::NeverSoLarge { .. } => Error::invalid("/consistency_from", OUT_OF_RANGE, error.to_string()),
        ExportError::Behind => Error::refused(VIEWS_BEHIND, error.to_string()),
        ExportError::Database(error) => error.into(),
        other => Error::failure(other),
    }
}

/// Whether the caller takes gzip: it is named, and not with the quality 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refuses = quality.trim().strip_prefix("q=").and_then(|quality| quality.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && refuses.is_none_or(|quality| quality > 0.0)
    })
}

/// Lets an export be prepared and written, as long as it is kept.
struct Permit {
    of_account: AccountPlace<OnePlace>,
    _any: SemaphorePermit<'static>,
}

impl Permit {
    /// The next permit.
    ///
    /// # Errors
    /// The account, or the process, writes as many exports as it may.
    async fn take(account_id: AccountId) -> Result<Self, Error> {
        let of_account = WRITING_FOR_ACCOUNTS.take(account_id)?;
        Ok(Self { of_account, _any: next_place(&WRITING, RETRY_AFTER).await? })
    }

    /// Lets it be prepared, as long as these are kept. First comes the account's own place: others do not wait for its exports.
    ///
    /// # Errors
    /// Others are being prepared for too long.
    async fn to_prepare(&self) -> Result<[SemaphorePermit<'_>; 2], Error> {
        let of_account = next_place(&self.of_account.shared.0, RETRY_AFTER).await?;
        Ok([of_account, next_place(&PREPARING, RETRY_AFTER).await?])
    }
}

/// Where an account's exports are prepared.
struct OnePlace(Semaphore);

impl Default for OnePlace {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::http::problem::codes::{TOO_MANY_REQUESTS, UNAVAILABLE};

    #[test]
    fn gzip_is_sent_to_who_accepts_it() {
        let accepts =
            |value: &str| accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]));
        assert!(["gzip", "br, GZIP", "gzip;q=0.5", "identity, gzip ; q=1"].into_iter().all(accepts));
        assert!(!["", "br", "gzip;q=0", "gzip; q=0.0", "xgzip"].into_iter().any(accepts));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    async fn waits_in_vain(permit: &Permit) -> bool {
        permit.to_prepare().await.is_err_and(|error| error.code().name == UNAVAILABLE.name)
    }

    /// All in one test: the places are those of the process.
    #[tokio::test(start_paused = true)]
    async fn an_account_has_so_many_exports_at_a_time_and_fewer_are_prepared() {
        let account = |number| AccountId(Uuid::from_u128(number));
        let first = Permit::take(account(1)).await.expect("a permit");
        let second = Permit::take(account(1)).await.expect("a permit");
        assert!(Permit::take(account(1)).await.is_err_and(|error| error.code().name == TOO_MANY_REQUESTS.name));
        assert!(Permit::take(account(2)).await.is_ok());
        drop(first);
        assert!(Permit::take(account(1)).await.is_ok());

        let third = Permit::take(account(1)).await.expect("a permit");
        let [others, another] = [Permit::take(account(2)).await, Permit::take(account(3)).await];
        let (others, another) = (others.expect("a permit"), another.expect("a permit"));
        let preparing = second.to_prepare().await.expect("places");
        assert!(waits_in_vain(&third).await, "one of an account");
        let others_preparing = others.to_prepare().await.expect("places");
        assert!(waits_in_vain(&another).await, "two of all");
        drop(preparing);
        assert!(third.to_prepare().await.is_ok(), "what was prepared makes room");
        assert!(another.to_prepare().await.is_ok());
        drop(others_preparing);
    }
}
