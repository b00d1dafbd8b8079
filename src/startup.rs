//! Puts the service together: one process, playing the roles it is configured with.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
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
    database::{Database, Patience},
    event_store::{AppendLimits, EventLog, IncarnationWatch},
    http,
    identity::Identity,
    jobs::{
        reconciler::Reconciler,
        sandbox::Sandbox,
        worker::{Worker, to_sandbox},
    },
    live::{Hub, HubConfig, Limits, Live},
    messaging::{
        Messaging,
        doorbell::{Doorbell, Ringer},
        epoch,
        seal::Seal,
    },
    notify::{self, Sender},
    rate_limit::{RateLimits, Share},
    readiness::{self, Followers, Probe},
    relay::{Relay, RelayConfig, RelayStatus},
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
    live: Option<Live>,
}

/// What goes on behind the requests.
#[derive(Default)]
struct Running {
    /// What may be aborted wherever it is.
    tasks: Vec<JoinHandle<()>>,
    /// What comes to its end by itself.
    background: TaskTracker,
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
        let mut running = Running::default();
        running.tasks.push(tokio::spawn(base.log.incarnations().clone().run(base.pool.clone())));
        let epoch = epoch::follow(base.log.incarnations());
        let (router, live) = if base.config.only_runs_jobs() {
            (base.start_worker_alone(epoch, &mut running).await, None)
        } else {
            let (router, live) = base.start_roles(address, epoch, &mut running).await?;
            (router, Some(live))
        };
        running.background.close();
        base.views_shown().await;
        let listener = port.listen(BACKLOG).with_context(|| format!("the service cannot listen on {address}"))?;
        let serving = tokio::spawn(http::server::serve(listener, router, base.shutdown.clone()));
        let Running { tasks, background } = running;
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
                if let Some(live) = &self.live {
                    live.hub.close(SOCKETS_END).await;
                }
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
        let messaging = Messaging::of(&config).await?;
        let database = Database::of(&config)?;
        database.ready(Patience::Endless).await?;
        database.warn_of_power(Patience::Endless).await?;
        let options = database.direct().clone();
        let watch = IncarnationWatch::default();
        let positions = Positions::default();
        let pool = database.pool_watched(config.database_connections, &watch, &positions);
        let log = database
            .patiently(Patience::Endless, async || {
                database.bring_up_to_date().await?;
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

    /// Starts the worker in a process that does nothing else, and asks for no secret on the way; returns what it answers.
    async fn start_worker_alone(&self, epoch: watch::Receiver<Uuid>, running: &mut Running) -> Router {
        let ringer = Ringer::new(self.messaging.clone(), epoch, self.log.head());
        running.tasks.push(tokio::spawn(ringer.run()));
        let sandbox = self.start_worker(running).await;
        let readiness = self.readiness(None, &sandbox, running);
        http::router::router_of_worker(http::Probes { readiness, details: self.config.ready_details }, &self.config)
    }

    /// Starts everything that this process plays; returns what it answers.
    async fn start_roles(
        &self,
        address: SocketAddr,
        epoch: watch::Receiver<Uuid>,
        running: &mut Running,
    ) -> anyhow::Result<(Router, Live)> {
        let seal = self.patiently(async || Seal::open(&self.pool).await).await?;
        let doorbell =
            Doorbell::new(self.messaging.clone(), seal.clone(), epoch.clone(), self.log.clone(), self.progress.clone());
        let (announce, peers) = (doorbell.announce(), doorbell.peers());
        running.tasks.push(tokio::spawn(doorbell.run()));
        let election = Election::start(self.options.clone());
        if self.plays(Role::Projector) {
            for group in workroom_projections::groups() {
                let runner = Runner::new(
                    group,
                    self.options.clone(),
                    self.log.head(),
                    self.progress.clone(),
                    Arc::clone(&announce),
                    election.clone(),
                );
                let runner = runner.with_recent(self.log.recent());
                running.tasks.push(tokio::spawn(runner.run()));
            }
        }
        let relay = self.plays(Role::Relay).then(|| self.start_relay(election.clone(), &mut running.tasks));
        let sandbox = if self.plays(Role::Worker) { self.start_worker(running).await } else { Ok(None) };
        let identity = self.patiently(async || Identity::open(self.app.clone(), self.config.identity()?).await).await?;
        running.tasks.push(tokio::spawn(identity.clone().run(self.messaging.clone(), seal.clone())));
        if self.plays(Role::Scheduler) {
            self.start_scheduler(address, election, running)?;
            running.tasks.push(tokio::spawn(sweep(identity.clone())));
        }
        let rate_limits = RateLimits::new(self.config.rate_limits.clone());
        let share = Share {
            limits: rate_limits.clone(),
            messaging: self.messaging.clone(),
            seal: seal.clone(),
            epoch: epoch.clone(),
            peers,
        };
        running.tasks.push(tokio::spawn(share.run()));
        let live = self.live(&identity, seal, *epoch.borrow());
        let state = http::State::new(http::Shared {
            app: self.app.clone(),
            identity,
            live: live.clone(),
            config: Arc::clone(&self.config),
            rate_limits,
            readiness: self.readiness(relay, &sandbox, running),
            sandbox: gate(sandbox),
        });
        Ok((http::router::router(state), live))
    }

    fn start_scheduler(&self, address: SocketAddr, election: Election, running: &Running) -> anyhow::Result<()> {
        let stream = &self.relay_config.jobs_stream;
        let reconciler =
            Reconciler::new(self.app.clone(), self.messaging.clone(), stream, self.options.clone(), election);
        running.background.spawn(reconciler.run(self.shutdown.clone()));
        running.background.spawn(reactor::follow(self.app.clone(), self.shutdown.clone()));
        running.background.spawn(notify::tasks::follow(
            self.app.clone(),
            self.config.reminder_latest(),
            self.shutdown.clone(),
        ));
        if let Some(sender) = Sender::new(self.pool.clone(), &self.config.mail(address))? {
            running.background.spawn(sender.run(self.shutdown.clone()));
        } else {
            tracing::warn!("no mail is sent: neither WORKROOM_SMTP_URL nor WORKROOM_MAIL_FOLDER is set");
        }
        Ok(())
    }

    /// Starts the worker if there is a sandbox for it; the error says why there is none.
    async fn start_worker(&self, running: &Running) -> Result<Option<Sandbox>, String> {
        let sandbox = self.sandbox().await;
        if let Ok(Some(sandbox)) = &sandbox {
            let stream = &self.relay_config.jobs_stream;
            let worker = Worker::new(self.app.clone(), self.messaging.clone(), stream, sandbox.clone());
            running.background.spawn(worker.run(self.worker_slots(), self.shutdown.clone()));
        }
        sandbox
    }

    /// Says how this process is.
    fn readiness(
        &self,
        relay: Option<watch::Receiver<RelayStatus>>,
        sandbox: &Result<Option<Sandbox>, String>,
        running: &mut Running,
    ) -> http::Readiness {
        let (followers, watching) = Followers::watch(self.pool.clone(), self.relay_config.clone());
        running.tasks.push(tokio::spawn(watching));
        let probe = Probe {
            pool: self.pool.clone(),
            messaging: self.messaging.clone(),
            progress: self.progress.clone(),
            followers,
            relay,
            // A process that only runs jobs may not know of mails.
            tells_of_mails: !self.config.only_runs_jobs(),
            sandbox: self.plays(Role::Worker).then(|| match sandbox {
                Ok(Some(sandbox)) => Ok(sandbox.describe().to_string()),
                Ok(None) => Err("no sandbox".to_owned()),
                Err(reason) => Err(reason.clone()),
            }),
        };
        readiness::probe(probe)
    }

    fn start_relay(&self, election: Election, tasks: &mut Vec<JoinHandle<()>>) -> watch::Receiver<RelayStatus> {
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

    fn live(&self, identity: &Identity, seal: Seal, epoch: Uuid) -> Live {
        let bound = |sockets| usize::try_from(sockets).unwrap_or(usize::MAX);
        let config = HubConfig {
            sockets_per_address: bound(self.config.sockets_per_address),
            sockets_per_account: bound(self.config.sockets_per_account),
            ..HubConfig::default()
        };
        Live {
            hub: Hub::new(self.pool.clone(), self.messaging.client().clone(), seal, epoch, config),
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
