//! Serving connections: HTTP/1.1, and HTTP/2 without TLS by prior knowledge (RFC 9113, 3.3), as proxies speak it. Not `axum::serve`:
//! it lets a half-sent request header hold a connection for as long as its sender likes.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use hyper::server::conn::{http1, http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer;

/// How long a client may take over a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Most headers that are read at all: twice as many as a request may have, so that whoever sends too many is told in the
/// documented form.
const HEADERS_READ: usize = 2 * super::envelope::MAX_HEADERS;
/// What an HTTP/2 connection begins with (RFC 9113, 3.4); no request of HTTP/1.1 does.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The pauses before looking again at a connection that has said a part of that.
const PREFACE_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));
/// Bytes of headers of HTTP/2 that are read at all: more than a request may have, so that whoever sends too many is told in the
/// documented form.
const HTTP2_HEADER_BYTES: u32 = 256 * 1024;
/// Requests at a time over one HTTP/2 connection.
const STREAMS: u32 = 256;
/// How often an HTTP/2 connection is asked whether it is there, and how long it may take to answer.
const HTTP2_PING: Duration = Duration::from_secs(20);
/// How long requests may go on after shutdown began.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after the system refuses to accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until told to stop, then lets running requests finish. WebSockets are upgraded connections, which this does
/// not wait for; the gateway ends them itself.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    let protocols = Protocols::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small replies must not wait for an acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(axum::Extension(ConnectInfo(peer)).layer(router.clone()));
                connections.spawn(protocols.clone().serve(stream, service, shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!("some requests were still running when the service stopped");
    }
}

/// How connections are served, by what they speak.
#[derive(Clone)]
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    fn new() -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_headers(HEADERS_READ);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(HTTP2_HEADER_BYTES);
        http2.keep_alive_interval(HTTP2_PING).keep_alive_timeout(HTTP2_PING);
        Self { http1, http2 }
    }

    async fn serve<S>(self, stream: TcpStream, service: TowerToHyperService<S>, shutdown: CancellationToken)
    where
        S: tower::Service<
                hyper::Request<hyper::body::Incoming>,
                Response = axum::response::Response,
                Error = Infallible,
                Future: Send,
            > + Clone
            + Send
            + 'static,
    {
        let speaks_http2 = tokio::select! {
            speaks_http2 = tokio::time::timeout(HEADER_TIMEOUT, speaks_http2(&stream)) => speaks_http2,
            () = shutdown.cancelled() => return,
        };
        let Ok(Ok(speaks_http2)) = speaks_http2 else { return };
        let stream = TokioIo::new(stream);
        if speaks_http2 {
            drive(self.http2.serve_connection(stream, service), &shutdown, http2::Connection::graceful_shutdown).await;
        } else {
            let connection = self.http1.serve_connection(stream, service).with_upgrades();
            drive(connection, &shutdown, http1::UpgradeableConnection::graceful_shutdown).await;
        }
    }
}

/// Serves a connection to its end; at shutdown it takes no new requests.
async fn drive<C>(connection: C, shutdown: &CancellationToken, end: impl FnOnce(Pin<&mut C>))
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            end(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}

/// Finds out what a connection speaks, by its first bytes, which stay where they are. Nobody is waited for behind this without a time
/// limit: hyper has none for the rest of the preface.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; HTTP2_PREFACE.len()];
    let (mut pause, longest) = PREFACE_PAUSES;
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 || !HTTP2_PREFACE.starts_with(&first[..length]) {
            return Ok(false);
        }
        if length == HTTP2_PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}
