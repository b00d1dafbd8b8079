//! What all roles share.

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_projections::{
    log,
    progress::{Positions, Progress},
};

use crate::{
    application::App,
    config::{Config, Role},
    database::{Database, Patience},
    event_store::{AppendLimits, EventLog, IncarnationWatch},
    jobs::sandbox::SandboxConfig,
    messaging::{Messaging, epoch},
    relay::RelayConfig,
};

/// What all roles share.
pub(crate) struct Base {
    pub(crate) config: Arc<Config>,
    pub(crate) database: Database,
    /// How to connect for what belongs to one session.
    pub(crate) options: PgConnectOptions,
    pub(crate) pool: PgPool,
    pub(crate) log: EventLog,
    /// The log's epoch.
    pub(crate) epoch: watch::Receiver<Uuid>,
    pub(crate) progress: Progress,
    pub(crate) app: App,
    pub(crate) messaging: Messaging,
    pub(crate) shutdown: CancellationToken,
    pub(crate) relay_config: RelayConfig,
}

impl Base {
    /// Connects, waits for the database and its schema, and opens the log.
    pub(super) async fn open(config: Config) -> anyhow::Result<Self> {
        let messaging = Messaging::of(&config).await?;
        let database = Database::of(&config)?;
        database.ready(Patience::Endless).await?;
        database.warn_of_power(Patience::Endless).await?;
        let options = database.direct().clone();
        let watch = IncarnationWatch::default();
        let positions = Positions::default();
        let pool = database.pool_watched(config.connections.database_connections, &watch, &positions);
        let log = database
            .patiently(Patience::Endless, async || {
                database.bring_up_to_date().await?;
                let (pool, options) = (pool.clone(), options.clone());
                Ok(EventLog::open_with(pool, options, watch.clone(), AppendLimits::default()).await?)
            })
            .await?;
        let epoch = epoch::follow(log.incarnations());
        let progress = Progress::of(positions, pool.clone());
        let app = App::new(pool.clone(), log.clone(), progress.clone(), config.identity.email_proof());
        let shutdown = CancellationToken::new();
        let relay_config = RelayConfig {
            max_age: Duration::from_hours(config.connections.events_max_age_hours.clamp(1, 100 * 365 * 24)),
            max_bytes: i64::from(config.connections.events_max_bytes.max(1024 * 1024)),
            ..RelayConfig::default()
        };
        let config = Arc::new(config);
        Ok(Self { config, database, options, pool, log, epoch, progress, app, messaging, shutdown, relay_config })
    }

    /// Does what takes the database, however long that is away.
    pub(super) async fn patiently<T>(&self, work: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.database.patiently(Patience::Endless, work).await
    }

    /// Waits until the views show what the log holds: whoever comes now may have been told of all of it, by a process that has
    /// died with the database. Not for ever, for they may be behind for a reason that waiting does not mend.
    pub(super) async fn views_shown(&self) {
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

    pub(crate) fn plays(&self, role: Role) -> bool {
        self.config.process.roles.contains(&role)
    }

    /// How many programs run at a time: so many that their limits take half of the memory at most, unless it is said.
    pub(crate) fn worker_slots(&self) -> usize {
        match self.config.jobs.worker_slots {
            0 => {
                let processors = std::thread::available_parallelism().map_or(1, usize::from);
                let limit = SandboxConfig::default().memory_bytes;
                let fit = memory_bytes()
                    .map_or(usize::MAX, |memory| usize::try_from(memory / 2 / limit).unwrap_or(usize::MAX));
                (2 * processors).min(fit).max(1)
            }
            slots => slots,
        }
    }
}

/// Bytes of memory of this machine, or of this process' cgroup where that has fewer.
fn memory_bytes() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024;
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = limits.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok());
    limits.chain([total]).min()
}
