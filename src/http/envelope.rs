//! What every request passes on its way to a handler and back: its id and span, its time limit, the writing of errors,
//! the headers of every reply. One layer, because each layer moves the request, the reply and the future once more.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tracing::Instrument;

use super::{
    drain::drained,
    problem::{self, Problem},
    request::{REQUEST_ID, RequestMeta},
};
use crate::http::problem::codes::{HEADERS_TOO_LARGE, MALFORMED};

/// Replies are data: a browser that is made to show one as a page runs nothing of it.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The documentation is a page, with scripts and styles of its own address.
const DOCS_PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What the path of an export ends with.
const EXPORT_PATH: &str = "/events/export";
/// How long an export may take before its first byte: in proportion to the history, unlike all other requests. What is longer is
/// exported by the command, beside the service.
const EXPORT_TIMEOUT: Duration = Duration::from_mins(10);

/// Most headers of a request.
pub(super) const MAX_HEADERS: usize = 128;
/// Most bytes in the names and values of a request's headers.
const MAX_HEADER_BYTES: usize = 64 * 1024;

const SECURE: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The path without the secret that the address of an invitation holds.
fn loggable(path: &str) -> &str {
    const INVITATIONS: &str = "/api/v1/invitations/";
    if path.starts_with(INVITATIONS) { INVITATIONS } else { path }
}

/// How long a request may take, where most may take so long.
fn limit_of(path: &str, limit: Duration) -> Duration {
    if path.ends_with(EXPORT_PATH) { limit.max(EXPORT_TIMEOUT) } else { limit }
}

/// Answers a request: by its handler, in time, without panics, in the documented form.
pub(super) async fn envelope(State(limit): State<Duration>, mut request: Request, next: Next) -> Response {
    let meta = RequestMeta::read(request.headers());
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        path = loggable(request.uri().path()),
        id = meta.request_id
    );
    request.extensions_mut().insert(meta.clone());
    let is_page = request.uri().path().starts_with("/docs");
    let is_head = request.method() == Method::HEAD;
    let limit = limit_of(request.uri().path(), limit);
    let answered = drained(request, |request| answer(limit, request, next)).instrument(span).await;
    let mut response = problem::written(answered, &meta.request_id);
    if is_head {
        leave_out_body(&mut response);
    }
    secure(response.headers_mut(), is_page);
    if let Ok(id) = HeaderValue::try_from(meta.request_id) {
        response.headers_mut().insert(&REQUEST_ID, id);
    }
    response
}

async fn answer(limit: Duration, request: Request, next: Next) -> Response {
    if are_too_large(request.headers()) {
        return Problem::from(HEADERS_TOO_LARGE).into_response();
    }
    if !names_one_host(&request) {
        return Problem::new(MALFORMED, "a request names one host in its Host header").into_response();
    }
    // A panic leaves nothing behind: handlers share only what locks and databases keep consistent.
    match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let message = text.or_else(|| panic.downcast_ref::<&str>().copied());
            tracing::error!(message, "a handler panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// What handlers answer to HEAD has no body by now, but what was written here has, and over HTTP/2 it would be sent.
fn leave_out_body(response: &mut Response) {
    if let Some(length) = response.body().size_hint().exact().filter(|length| *length > 0) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    *response.body_mut() = Body::empty();
}

fn are_too_large(headers: &HeaderMap) -> bool {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES
}

/// RFC 9112, 3.2: proxies and the service must not take a request to be for different hosts.
fn names_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    match request.version() {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    }
}

fn secure(headers: &mut HeaderMap, is_page: bool) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(if is_page { DOCS_PAGE } else { NO_PAGE });
    for (name, value) in SECURE {
        headers.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_may_take_longer_than_other_requests() {
        let limit = |path| limit_of(path, Duration::from_secs(30));
        assert_eq!(limit("/api/v1/organizations/0190/events/export"), EXPORT_TIMEOUT);
        assert_eq!(limit("/api/v1/projects/0190/events/export"), EXPORT_TIMEOUT);
        assert_eq!(limit("/api/v1/projects/0190/events"), Duration::from_secs(30));
        assert_eq!(limit_of("/api/v1/projects/0190/events/export", Duration::from_hours(1)), Duration::from_hours(1));
    }
}
