//! Serving connections. Not `axum::serve`: it lets a half-sent request header hold a connection for as long as its
//! sender likes.

use std::{pin::pin, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
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
/// How long requests may go on after shutdown began.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after the system refuses to accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until told to stop, then lets running requests finish. WebSockets are upgraded connections, which this does
/// not wait for; the gateway ends them itself.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_headers(HEADERS_READ);
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
                let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
                connections.spawn(drive(connection, shutdown.clone()));
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

async fn drive<S>(connection: http1::UpgradeableConnection<TokioIo<TcpStream>, S>, shutdown: CancellationToken)
where
    S: hyper::service::HttpService<hyper::body::Incoming> + Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
    S::ResBody: Send + 'static,
    <S::ResBody as hyper::body::Body>::Data: Send,
    <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}
