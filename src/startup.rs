//! Puts the service together: one process, playing the roles it is configured with.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{net::TcpSocket, sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use workroom_projections::{
    describe::describe,
    leader::Election,
    log,
    progress::{Positions, Progress},
    runner::Runner,
};

use crate::{
    application::{App, reactor},
    config::{Config, Role},
    database::{self, Database, Patience},
    event_store::{AppendLimits, EventLog, IncarnationWatch},
    http,
    identity::Identity,
    jobs::{
        reconciler::Reconciler,
        sandbox::Sandbox,
        worker::{Worker, to_sandbox},
    },
    live::{Hub, HubConfig, Limits, Live},
    messaging::{Messaging, doorbell::Doorbell, epoch},
    notify::{self, Sender},
    rate_limit::{RateLimits, Share},
    readiness::{self, Followers},
    relay::{Relay, RelayConfig},
};

/// How long background work may take to end at shutdown.
const WIND_DOWN: Duration = Duration::from_secs(10);

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1024;

/// How often what has had its time is deleted.
const SWEEP_INTERVAL: Duration = Duration::from_mins(5);

/// How long sockets may take to say goodbye.
const SOCKETS_END: Duration = Duration::from_secs(2);

/// A running service.
pub struct Service {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    background: TaskTracker,
    aborted_at_stop: Vec<JoinHandle<()>>,
    live: Live,
}

/// What all roles share.
struct Base {
    config: Arc<Config>,
    database: Database,
    /// How to connect for what belongs to one session.
    options: PgConnectOptions,
    pool: PgPool,
    log: EventLog,
    progress: Progress,
    app: App,
    messaging: Messaging,
    shutdown: CancellationToken,
    relay_config: RelayConfig,
}

impl Service {
    /// Starts the service, and returns once it listens.
    ///
    /// # Errors
    /// Whatever keeps it from starting, as one sentence.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let address = SocketAddr::new(config.host, config.port);
        // Taken at once, so that a taken port is told at once; nobody is let in before there is somebody to answer.
        let port = reserve(address).with_context(|| format!("the service cannot listen on {address}"))?;
        let address = port.local_addr()?;
        let base = Base::open(config).await?;
        let mut tasks = Vec::new();
        tasks.push(tokio::spawn(base.log.incarnations().clone().run(base.pool.clone())));
        let current_epoch = epoch::follow(base.log.incarnations());
        let doorbell =
            Doorbell::new(base.messaging.clone(), current_epoch.clone(), base.log.clone(), base.progress.clone());
        let announce = doorbell.announce();
        let peers = doorbell.peers();
        tasks.push(tokio::spawn(doorbell.run()));
        let election = Election::start(base.options.clone());
        if base.plays(Role::Projector) {
            for group in workroom_projections::groups() {
                let runner = Runner::new(
                    group,
                    base.options.clone(),
                    base.log.head(),
                    base.progress.clone(),
                    Arc::clone(&announce),
                    election.clone(),
                );
                let runner = runner.with_recent(base.log.recent());
                tasks.push(tokio::spawn(runner.run()));
            }
        }
        let relay_status = base.plays(Role::Relay).then(|| base.start_relay(election.clone(), &mut tasks));
        let background = TaskTracker::new();
        let sandbox = if base.plays(Role::Worker) { base.sandbox().await } else { Ok(None) };
        if let Ok(Some(sandbox)) = &sandbox {
            let worker =
                Worker::new(base.app.clone(), base.messaging.clone(), &base.relay_config.jobs_stream, sandbox.clone());
            background.spawn(worker.run(base.worker_slots(), base.shutdown.clone()));
        }
        if base.plays(Role::Scheduler) {
            let stream = &base.relay_config.jobs_stream;
            let reconciler =
                Reconciler::new(base.app.clone(), base.messaging.clone(), stream, base.options.clone(), election);
            background.spawn(reconciler.run(base.shutdown.clone()));
            background.spawn(reactor::follow(base.app.clone(), base.shutdown.clone()));
            background.spawn(notify::tasks::follow(
                base.app.clone(),
                base.config.reminder_latest(),
                base.shutdown.clone(),
            ));
            if let Some(sender) = Sender::new(base.pool.clone(), &base.config.mail(address))? {
                background.spawn(sender.run(base.shutdown.clone()));
            } else {
                tracing::warn!("no mail is sent: neither WORKROOM_SMTP_URL nor WORKROOM_MAIL_FOLDER is set");
            }
        }
        background.close();
        let identity = base.patiently(async || Identity::open(base.app.clone(), base.config.identity()?).await).await?;
        tasks.push(tokio::spawn(identity.clone().run(base.messaging.clone())));
        if base.plays(Role::Scheduler) {
            tasks.push(tokio::spawn(sweep(identity.clone())));
        }
        let rate_limits = RateLimits::new(base.config.rate_limits.clone());
        let share = Share {
            limits: rate_limits.clone(),
            messaging: base.messaging.clone(),
            epoch: current_epoch.clone(),
            peers,
            key: identity.message_key("requests"),
        };
        tasks.push(tokio::spawn(share.run()));
        let live = base.live(&identity, *current_epoch.borrow());
        let (followers, watch_followers) = Followers::watch(base.pool.clone(), base.relay_config.clone());
        tasks.push(tokio::spawn(watch_followers));
        let readiness = readiness::probe(
            base.pool.clone(),
            base.messaging.clone(),
            base.progress.clone(),
            followers,
            relay_status,
            base.plays(Role::Worker).then(|| match &sandbox {
                Ok(Some(sandbox)) => Ok(sandbox.describe().to_string()),
                Ok(None) => Err("no sandbox".to_owned()),
                Err(reason) => Err(reason.clone()),
            }),
        );
        let state = http::State::new(http::Shared {
            app: base.app.clone(),
            identity,
            live: live.clone(),
            config: Arc::clone(&base.config),
            rate_limits,
            readiness,
            sandbox: gate(sandbox),
        });
        base.views_shown().await;
        let listener = port.listen(BACKLOG).with_context(|| format!("the service cannot listen on {address}"))?;
        let serving = tokio::spawn(http::server::serve(listener, http::router::router(state), base.shutdown.clone()));
        Ok(Self { address, shutdown: base.shutdown, serving, background, aborted_at_stop: tasks, live })
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
                self.live.hub.close(SOCKETS_END).await;
                self.background.wait().await;
            };
            tokio::join!(self.serving, ended)
        };
        if tokio::time::timeout(WIND_DOWN, wound_down).await.is_err() {
            tracing::warn!("some work was still going on when the service stopped");
        }
        // Projections and relay are consistent wherever they stop.
        for task in &self.aborted_at_stop {
            task.abort();
        }
    }
}

impl Base {
    async fn open(config: Config) -> anyhow::Result<Self> {
        let messaging = Messaging::connect(&config.nats_url).await.context("NATS_URL is not an address of NATS")?;
        let database = Database::of(&config)?;
        database.ready(Patience::Endless).await?;
        let options = database.direct().clone();
        let watch = IncarnationWatch::default();
        let positions = Positions::default();
        let pool = database.pool_watched(config.database_connections, &watch, &positions);
        let log = database
            .patiently(Patience::Endless, async || {
                database::migrate(&options).await?;
                let (pool, options) = (pool.clone(), options.clone());
                Ok(EventLog::open_with(pool, options, watch.clone(), AppendLimits::default()).await?)
            })
            .await?;
        let progress = Progress::of(positions, pool.clone());
        let app = App::new(pool.clone(), log.clone(), progress.clone(), config.email_proof());
        let shutdown = CancellationToken::new();
        let relay_config = RelayConfig::default();
        let config = Arc::new(config);
        Ok(Self { config, database, options, pool, log, progress, app, messaging, shutdown, relay_config })
    }

    /// Does what takes the database, however long that is away.
    async fn patiently<T>(&self, work: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.database.patiently(Patience::Endless, work).await
    }

    /// Waits until the views show what the log holds: whoever comes now may have been told of all of it, by a process that has
    /// died with the database. Not for ever, for they may be behind for a reason that waiting does not mend.
    async fn views_shown(&self) {
        let shown = async { Ok::<_, sqlx::Error>(self.app.visible(log::head(&self.pool).await?).await) };
        match shown.await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the views are behind the log: reads may show less than was acknowledged"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "it is not known whether the views are behind"
                );
            }
        }
    }

    fn plays(&self, role: Role) -> bool {
        self.config.roles.contains(&role)
    }

    fn start_relay(
        &self,
        election: Election,
        tasks: &mut Vec<JoinHandle<()>>,
    ) -> watch::Receiver<crate::relay::RelayStatus> {
        let relay = Relay::new(
            self.pool.clone(),
            self.options.clone(),
            self.log.head(),
            self.messaging.clone(),
            self.relay_config.clone(),
            election,
        );
        let relay = relay.with_recent(self.log.recent());
        let status = relay.status();
        tasks.push(tokio::spawn(relay.run()));
        status
    }

    fn live(&self, identity: &Identity, epoch: Uuid) -> Live {
        let bound = |sockets| usize::try_from(sockets).unwrap_or(usize::MAX);
        let config = HubConfig {
            sockets_per_address: bound(self.config.sockets_per_address),
            sockets_per_account: bound(self.config.sockets_per_account),
            ..HubConfig::default()
        };
        Live {
            hub: Hub::new(self.pool.clone(), self.messaging.client().clone(), epoch, config),
            app: self.app.clone(),
            identity: identity.clone(),
            limits: Arc::new(Limits { origins: self.config.allowed_origins.clone(), ..Limits::default() }),
            shutdown: self.shutdown.clone(),
        }
    }

    fn worker_slots(&self) -> usize {
        match self.config.worker_slots {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            slots => slots,
        }
    }

    /// The sandbox, if one can be used here; the error says why not.
    async fn sandbox(&self) -> Result<Option<Sandbox>, String> {
        let bwrap = self.config.bubblewrap.clone().or_else(in_path).unwrap_or_else(|| "/usr/bin/bwrap".into());
        match Sandbox::probe(self.config.sandbox(bwrap)).await {
            Ok(sandbox) => {
                tracing::info!(sandbox = %sandbox.describe(), "code can be run");
                Ok(Some(sandbox))
            }
            Err(error) => {
                let reason = describe(&error);
                tracing::warn!(reason, "code cannot be run here");
                Err(reason)
            }
        }
    }
}

/// Takes an address without listening on it yet.
fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Has identity delete what has had its time, every few minutes.
async fn sweep(identity: Identity) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        if let Err(error) = identity.sweep().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old credentials could not be deleted");
        }
    }
}

/// bubblewrap as the shell would find it.
fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("bwrap")).find(|program| program.is_file())
}

/// Refuses code that nobody here could run. A process without the worker role leaves that to those who have it.
fn gate(sandbox: Result<Option<Sandbox>, String>) -> http::SandboxGate {
    Arc::new(move |language| match &sandbox {
        Ok(None) => Ok(()),
        Ok(Some(sandbox)) if sandbox.languages().any(|known| known == to_sandbox(language)) => Ok(()),
        Ok(Some(_)) => Err(format!("there is no interpreter for {}", language.as_str())),
        Err(reason) => Err(reason.clone()),
    })
}
