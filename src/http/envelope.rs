//! What every request passes on its way to a handler and back: its id and span, its time limit, the writing of errors,
//! the headers of every reply. One layer, because each layer moves the request, the reply and the future once more.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tracing::Instrument;

use super::{
    drain::drained,
    problem,
    request::{REQUEST_ID, RequestMeta},
};

const SECURE: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The path without the secret that the address of an invitation holds.
fn loggable(path: &str) -> &str {
    const INVITATIONS: &str = "/api/v1/invitations/";
    if path.starts_with(INVITATIONS) { INVITATIONS } else { path }
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
    let answered = drained(request, |request| answer(limit, request, next)).instrument(span).await;
    let mut response = problem::written(answered, &meta.request_id);
    secure(response.headers_mut());
    if let Ok(id) = HeaderValue::try_from(meta.request_id) {
        response.headers_mut().insert(&REQUEST_ID, id);
    }
    response
}

async fn answer(limit: Duration, request: Request, next: Next) -> Response {
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

fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURE {
        headers.entry(name).or_insert(value);
    }
}
