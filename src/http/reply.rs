//! Replies: the resource itself, with the headers that every command's reply carries.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use workroom_domain::ids::InvitationId;

use super::extract::IfNoneMatch;
use crate::application::codes::{OUT_OF_RANGE, VIEWS_BEHIND};
use crate::application::{Answer, Error, Rendered};

/// The log position that a command's reply is about.
pub static POSITION: HeaderName = HeaderName::from_static("workroom-position");
/// `false` where the reply went out before every read model showed it.
pub static VISIBLE: HeaderName = HeaderName::from_static("workroom-visible");
/// Whether the reply is one that was given before.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Open invitations of somebody who may not invite any more, which ended with the command: their ids, separated by commas.
pub static ENDED_INVITATIONS: HeaderName = HeaderName::from_static("workroom-ended-invitations");
/// Ids that fit into a header.
const MOST_IDS: usize = 100;

/// An aggregate's version as an entity tag.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn insert(headers: &mut HeaderMap, name: impl Into<HeaderName>, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name.into(), value);
    }
}

fn position_headers(headers: &mut HeaderMap, position: i64, visible: bool) {
    headers.insert(POSITION.clone(), HeaderValue::from(position));
    if !visible {
        headers.insert(VISIBLE.clone(), HeaderValue::from_static("false"));
    }
}

/// Puts a new resource into the form that can be kept: 201 (or 202) with its address and version.
///
/// # Errors
/// A body that JSON cannot hold.
pub fn rendered(
    status: StatusCode,
    location: Option<String>,
    version: Option<i64>,
    body: &impl Serialize,
) -> Result<Rendered, Error> {
    let mut headers = Vec::new();
    if let Some(location) = location {
        headers.push((header::LOCATION.as_str().to_owned(), location));
    }
    if let Some(version) = version {
        headers.push((header::ETAG.as_str().to_owned(), etag(version)));
    }
    let body = serde_json::to_string(body).map_err(Error::failure)?;
    Ok(Rendered { status: status.as_u16(), headers, body })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Rendered { status, headers, body } = self.rendered;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let mut response = (status, body).into_response();
        let out = response.headers_mut();
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            if let Ok(name) = name.parse::<HeaderName>() {
                insert(out, name, &value);
            }
        }
        position_headers(out, self.position, self.visible);
        if self.replayed {
            out.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        response
    }
}

/// A resource after a command changed it.
pub fn changed(position: i64, visible: bool, version: i64, body: &impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    insert(response.headers_mut(), header::ETAG, &etag(version));
    position_headers(response.headers_mut(), position, visible);
    response
}

/// 204 after a command.
pub fn gone(position: i64, visible: bool, version: i64) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    insert(response.headers_mut(), header::ETAG, &etag(version));
    position_headers(response.headers_mut(), position, visible);
    response
}

/// The same reply, which also says which invitations ended: the first hundred.
pub fn with_ended_invitations(mut response: Response, ended: &[InvitationId]) -> Response {
    if !ended.is_empty() {
        let ids: Vec<String> = ended.iter().take(MOST_IDS).map(InvitationId::to_string).collect();
        insert(response.headers_mut(), ENDED_INVITATIONS.clone(), &ids.join(", "));
    }
    response
}

/// 204 after a command that has no resource of its own to tell the version of.
pub fn done(position: i64, visible: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    position_headers(response.headers_mut(), position, visible);
    response
}

/// A resource that was read.
pub fn found(version: i64, body: &impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    insert(response.headers_mut(), header::ETAG, &etag(version));
    response
}

/// Whether there is more to see of a resource than its version tells: names of others, counts and the like change
/// without a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The version tells everything.
    Plain,
    /// What else is seen tells representations of one version apart.
    More,
}

impl Sight {
    /// [`Self::More`] where that holds.
    pub fn more_if(there_is_more: bool) -> Self {
        if there_is_more { Self::More } else { Self::Plain }
    }
}

/// A resource that was read, or 304 where the client has it (RFC 9110, 15.4.5). Its tag tells the version, and where there
/// is more to see, a hash of what is seen behind a dot.
///
/// # Errors
/// What JSON cannot hold.
pub fn found_unless(known: &IfNoneMatch, version: i64, sight: Sight, body: &impl Serialize) -> Result<Response, Error> {
    let body = serde_json::to_string(body).map_err(Error::failure)?;
    let etag = match sight {
        Sight::Plain => etag(version),
        Sight::More => format!("\"{version}.{:08x}\"", crc32fast::hash(body.as_bytes())),
    };
    let mut response = if known.has(&etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
    };
    insert(response.headers_mut(), header::ETAG, &etag);
    // It may be kept by its reader alone, and asked for again each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// What a command on several resources has to say.
pub fn carried_out(position: i64, visible: bool, body: &impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    position_headers(response.headers_mut(), position, visible);
    response
}

/// Waits until reads show a log position, for a read that insists on one.
///
/// # Errors
/// `Kind::Unavailable` when they do not in time, [`Error::Invalid`] when the log itself does not come so far meanwhile.
pub async fn at_position(state: &super::State, min_position: Option<i64>) -> Result<(), Error> {
    let Some(position) = min_position else { return Ok(()) };
    if position < 0 {
        return Err(Error::invalid("/min_position", OUT_OF_RANGE, "must not be negative"));
    }
    if state.app.visible(position).await {
        return Ok(());
    }
    // Nobody was ever told of a position that the log has not come to.
    if workroom_projections::log::head(state.app.pool()).await? < position {
        return Err(Error::invalid("/min_position", OUT_OF_RANGE, "the log has not come so far"));
    }
    Err(Error::later(VIEWS_BEHIND, std::time::Duration::from_secs(1)))
}

/// Does work that must not be left in the middle when its client goes away: in a task of its own, which nobody cancels.
///
/// # Errors
/// The work's own, or that it panicked.
pub async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    use tracing::Instrument;
    tokio::spawn(work.in_current_span()).await.map_err(Error::failure)?
}
