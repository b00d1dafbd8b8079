//! What is known of a request before anything else: its id, and the trace it belongs to.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderValue, header, header::HeaderName},
    middleware::Next,
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use uuid::Uuid;

pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request before anything else.
#[derive(Clone, Debug)]
pub struct RequestMeta {
    /// The request's id: the client's, if it sent a sound one.
    pub request_id: String,
    /// What its events will carry: the request's id where that is a UUID.
    pub correlation_id: Uuid,
    /// The W3C trace it belongs to.
    pub trace_id: Option<String>,
}

impl RequestMeta {
    fn read(headers: &HeaderMap) -> Self {
        let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
        let given = given.filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
        let correlation_id = given.and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_else(Uuid::now_v7);
        let request_id = given.map_or_else(|| correlation_id.to_string(), str::to_owned);
        let trace_id = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(trace_id);
        Self { request_id, correlation_id, trace_id }
    }
}

/// The trace id of a `traceparent` header (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (version, trace_id, parent_id) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let sound = is_hex(version, 2) && version != "ff" && is_hex(trace_id, 32) && is_hex(parent_id, 16);
    (sound && trace_id.bytes().any(|b| b != b'0')).then(|| trace_id.to_owned())
}

/// Gives the request its id, and the reply the same.
pub(super) async fn identify(mut request: Request, next: Next) -> Response {
    let meta = RequestMeta::read(request.headers());
    let id = HeaderValue::from_str(&meta.request_id);
    request.extensions_mut().insert(meta);
    let mut response = next.run(request).await;
    if let Ok(id) = id {
        response.headers_mut().insert(&REQUEST_ID, id);
    }
    response
}

/// A body up to which size nothing is drained; then most of a body that is read only to be thrown away, and for how
/// long.
const SMALL: u64 = 4096;
const DRAIN_BYTES: usize = 16 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A body that can be got back when its reader has had enough of it.
struct Lent(Arc<Mutex<Body>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// Reads to its end, within bounds, the body of a request that was refused without it. A connection that is closed
/// while its client still writes is reset, and the reply with it.
pub(super) async fn drain(request: Request, next: Next) -> Response {
    // What is this small has arrived together with its header.
    if request.body().size_hint().upper().is_some_and(|bytes| bytes <= SMALL) {
        return next.run(request).await;
    }
    let awaits_leave = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let response = next.run(Request::from_parts(parts, Body::new(Lent(Arc::clone(&body))))).await;
    if response.status().is_client_error() && !awaits_leave {
        let mut rest = Lent(body);
        let reading = async {
            let mut read = 0;
            while let Some(Ok(frame)) = std::future::poll_fn(|context| Pin::new(&mut rest).poll_frame(context)).await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > DRAIN_BYTES {
                    break;
                }
            }
        };
        // Whoever writes slower than this has lost the reply.
        let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sound_traceparent_names_a_trace() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        assert_eq!(trace_id(&format!("ff-{trace}-00f067aa0ba902b7-01")), None);
        assert_eq!(trace_id("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_id("nonsense"), None);
    }
}
