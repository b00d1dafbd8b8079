//! Bodies of refused requests, read to their end so that the refusal arrives.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
    response::Response,
};
use hyper::body::{Frame, SizeHint};

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
pub(super) async fn drained<F: Future<Output = Response>>(
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    // What is this small has arrived together with its header.
    if request.body().size_hint().upper().is_some_and(|bytes| bytes <= SMALL) {
        return answer(request).await;
    }
    let awaits_leave = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let response = answer(Request::from_parts(parts, Body::new(Lent(Arc::clone(&body))))).await;
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
