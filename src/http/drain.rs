//! Bodies that nobody wanted, read to their end so that the reply arrives.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use hyper::body::{Frame, SizeHint};

/// Most of a body that is read only to be thrown away, and for how long.
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

/// Reads to its end, within bounds, the body of a request that was answered without it. A connection that is closed
/// while its client still writes is reset, and the reply with it. Where the end is not reached, the reply says that the connection
/// closes: what is left of the body must not be taken for the next request.
pub(super) async fn drained<F: Future<Output = Response>>(
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    if request.body().is_end_stream() {
        return answer(request).await;
    }
    let awaits_leave = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let mut response = answer(Request::from_parts(parts, Body::new(Lent(Arc::clone(&body))))).await;
    let mut rest = Lent(body);
    // A connection that became a socket has no further requests.
    if rest.is_end_stream() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let is_read = async {
        // Who waits for leave to send the body is told by the reply that it is not wanted.
        if awaits_leave {
            return false;
        }
        let mut read = 0;
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut rest).poll_frame(context)).await {
            let Ok(frame) = frame else { return false };
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DRAIN_BYTES {
                return false;
            }
        }
        true
    };
    // Whoever writes slower than this has lost the reply.
    if !tokio::time::timeout(DRAIN_TIME, is_read).await.unwrap_or(false) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
