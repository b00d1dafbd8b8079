//! Puts the service together: one process, playing the roles it is configured with.
//!
//! The [`Base`] is opened, the [background tasks](crate::background) of the roles are registered, and then requests are served.

mod base;
mod roles;
mod sandbox;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::{net::TcpSocket, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) use base::Base;

use crate::{background::Driver, config::Config, http, live::Live};

/// How long background work may take to end at shutdown, beside programs that may go on.
const WIND_DOWN: Duration = Duration::from_secs(10);

/// Connections that may wait to be taken.
const BACKLOG: u32 = 4096;

/// How long sockets may take to say goodbye.
const SOCKETS_END: Duration = Duration::from_secs(4);

/// A running service.
pub struct Service {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    background: Driver,
    live: Option<Live>,
    wind_down: Duration,
}

impl Service {
    /// Starts the service, and returns once it listens.
    ///
    /// # Errors
    /// Whatever keeps it from starting, as one sentence.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let address = SocketAddr::new(config.process.host, config.process.port);
        // Taken at once, so that a taken port is told at once; nobody is let in before there is somebody to answer.
        let port = reserve(address).with_context(|| format!("the service cannot listen on {address}"))?;
        let address = port.local_addr()?;
        let base = Base::open(config).await?;
        let background = Driver::new(base.shutdown.clone());
        let (router, live) = if base.config.process.only_runs_jobs() {
            (roles::start_worker_alone(&base, &background).await, None)
        } else {
            let (router, live) = roles::start(&base, &background, address).await?;
            (router, Some(live))
        };
        base.views_shown().await;
        let wind_down = WIND_DOWN + base.config.jobs.grace();
        let listener = port.listen(BACKLOG).with_context(|| format!("the service cannot listen on {address}"))?;
        let serving = tokio::spawn(http::server::serve(listener, router, base.shutdown.clone()));
        Ok(Self { address, shutdown: base.shutdown, serving, background, live, wind_down })
    }

    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new requests, running ones finish, sockets are told to come again, jobs go to other workers.
    pub async fn stop(self) {
        self.shutdown.cancel();
        let wound_down = async {
            let ended = async {
                if let Some(live) = &self.live {
                    live.hub.close(SOCKETS_END).await;
                }
                self.background.ended().await;
            };
            tokio::join!(self.serving, ended)
        };
        if tokio::time::timeout(self.wind_down, wound_down).await.is_err() {
            tracing::warn!("some work was still going on when the service stopped");
        }
        self.background.abort();
    }
}

/// Takes an address without listening on it yet.
fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
