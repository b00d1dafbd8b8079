//! Sending documents. A large one is sent in pieces from a bounded number of places, so that slow readers hold a bounded number of
//! bytes, for a bounded time.

use std::{io, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use tokio::{sync::mpsc, time::timeout};

use super::permit::{Permit, Sending};
use crate::application::Error;

/// Bytes of a piece. A document that has no more is sent at once.
const PIECE: usize = 256 * 1024;
/// How long a document may take to be read.
const DEADLINE: Duration = Duration::from_mins(1);

fn json() -> (HeaderName, HeaderValue) {
    (header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

/// A document of JSON that may be sent.
pub(super) struct Outgoing {
    document: Vec<u8>,
    /// Of a large one.
    sending: Option<Sending>,
}

impl Outgoing {
    /// A document that was made by a permit, which must be kept until this is there.
    ///
    /// # Errors
    /// It is large, and the process sends as many as it may.
    pub(super) async fn new(document: Vec<u8>, permit: &Permit) -> Result<Self, Error> {
        let sending = if document.len() > PIECE { Some(Sending::take(permit).await?) } else { None };
        Ok(Self { document, sending })
    }

    /// The reply. A large document is held by a task of its own: a body whose reader stands still is not asked for more, and could
    /// not give up its place.
    pub(super) fn response(self) -> Response {
        let Self { document, sending } = self;
        let Some(sending) = sending else {
            return ([json()], Body::from(document)).into_response();
        };
        let length = document.len();
        let (pieces, written) = mpsc::channel(1);
        tokio::spawn(async move {
            let send = async {
                for piece in document.chunks(PIECE) {
                    // A copy: what the connection still holds must not hold the document.
                    if pieces.send(Bytes::copy_from_slice(piece)).await.is_err() {
                        return;
                    }
                }
            };
            if timeout(DEADLINE, send).await.is_err() {
                tracing::debug!("a state was not read in time");
            }
            drop(document);
            drop(sending);
        });
        let body = stream::unfold((written, length), async |(mut written, left)| match written.recv().await {
            Some(piece) => {
                let left = left.saturating_sub(piece.len());
                Some((Ok(piece), (written, left)))
            }
            // Whoever reads it is told, as far as HTTP can: the body breaks off.
            None if left > 0 => Some((Err(io::Error::other("the document was not read in time")), (written, 0))),
            None => None,
        });
        let fields = [json(), (header::CONTENT_LENGTH, HeaderValue::from(length))];
        (fields, Body::from_stream(body)).into_response()
    }
}

/// The reply to `HEAD`: nothing was folded, so nobody knows the length.
pub(super) fn without_body() -> Response {
    let body = Body::from_stream(stream::empty::<io::Result<Bytes>>());
    ([json()], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use uuid::Uuid;
    use workroom_domain::ids::AccountId;

    use super::{super::permit::OF_ACCOUNTS, *};

    fn large() -> Vec<u8> {
        (0..=u8::MAX).cycle().take(3 * PIECE + 7).collect()
    }

    async fn permit(account: AccountId) -> Arc<Permit> {
        Permit::take(OF_ACCOUNTS.take(account).expect("a place")).await.expect("a permit")
    }

    #[tokio::test]
    async fn a_large_document_has_a_place_until_it_is_read() {
        let account = AccountId(Uuid::from_u128(0x5e17d));
        let first = permit(account).await;
        let outgoing = Outgoing::new(large(), &first).await.expect("a place");
        drop(first);
        let second = permit(account).await;
        assert!(OF_ACCOUNTS.take(account).is_err(), "what is sent counts");
        drop(second);
        let response = outgoing.response();
        assert_eq!(response.headers()[header::CONTENT_LENGTH], large().len().to_string());
        assert!(to_bytes(response.into_body(), usize::MAX).await.expect("a body") == large());

        let third = permit(account).await;
        let small = Outgoing::new(b"{}".to_vec(), &third).await.expect("a place");
        assert!(small.sending.is_none());
        assert_eq!(to_bytes(small.response().into_body(), 2).await.expect("a body"), "{}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_gives_up_its_place() {
        let permit = permit(AccountId(Uuid::from_u128(0x510))).await;
        let response = Outgoing::new(large(), &permit).await.expect("a place").response();
        tokio::time::sleep(DEADLINE + Duration::from_secs(1)).await;
        assert!(to_bytes(response.into_body(), usize::MAX).await.is_err(), "the body breaks off");
    }
}
