//! The private servers of an instance: what `./dev up` and the tests start before the service itself.

mod ephemeral;
mod identity;
mod logs;
pub mod nats;
mod ports;
pub mod postgres;
mod processes;
mod template;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

pub use nats::{NatsOptions, NatsServer};
pub use postgres::{PostgresOptions, PostgresServer};

use self::ephemeral::Ephemeral;
use self::template::Template;
use super::child::Spawner;
use super::folder::{DataFolder, FolderLock};
use super::tools::{self, ToolStore};

/// The pauses between two starts of a server that does not stay.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct ServicesOptions {
    /// The data folder; made if it does not exist.
    pub data_dir: PathBuf,
    /// Whether the data live in a folder of their own, removed at the end. Tools come from `data_dir` all the same.
    pub ephemeral: bool,
    /// A given database; then no Postgres is started.
    pub database_url: Option<String>,
    /// A given NATS; then none is started.
    pub nats_url: Option<String>,
    /// The binary that knows `exec-child`; see [`super::child::own_bin`].
    pub own_bin: PathBuf,
    /// Whether commits survive a power cut; tests do without.
    pub durable: bool,
}

/// The servers of one instance. Dropping it ends them; [`Services::stop`] does so in order.
#[derive(Debug)]
pub struct Services {
    // In the order of dropping: the spawner's thread ends, the kernel signals the servers, their folder goes, the lock last.
    postgres: Option<PostgresServer>,
    nats: Option<NatsServer>,
    database_url: String,
    owner_url: String,
    nats_url: String,
    folder: DataFolder,
    ephemeral: Option<Ephemeral>,
    _lock: Option<FolderLock>,
}

impl Services {
    /// Starts what is not given, both servers at once, fetching their programs first if need be.
    ///
    /// Every failure is one sentence for the user; what was already started is ended again.
    pub async fn start(options: ServicesOptions) -> anyhow::Result<Self> {
        let shared = DataFolder::open(&options.data_dir)?;
        shared.check_free_space()?;
        let needs_server = options.database_url.is_none() || options.nats_url.is_none();
        let ephemeral = if options.ephemeral { Some(Ephemeral::create(&shared)?) } else { None };
        let folder = ephemeral.as_ref().map_or_else(|| shared.clone(), |ephemeral| ephemeral.folder().clone());
        // An ephemeral folder has its own lock; and without a server there is nothing that a second instance could harm.
        let lock = if needs_server && !options.ephemeral { Some(folder.lock()?) } else { None };
        let spawner = Spawner::new(options.own_bin)?;
        let store = ToolStore::new(&shared);

        let postgres = async {
            if options.database_url.is_some() {
                return Ok(None);
            }
            let major = postgres::data_version(&folder);
            let tool = tools::find(&store, move |store| tools::postgres::ensure_for(store, major)).await?;
            let how = PostgresOptions {
                durable: options.durable,
                ephemeral: options.ephemeral,
                ..PostgresOptions::default()
            };
            let template = options.ephemeral.then(|| Template::new(&shared, &tool.version.to_string()));
            PostgresServer::start(&spawner, &tool, &folder, how, template).await.map(Some)
        };
        let nats = async {
            if options.nats_url.is_some() {
                return Ok(None);
            }
            let tool = tools::find(&store, |store| tools::nats_server::RECIPE.ensure(store)).await?;
            NatsServer::start(&spawner, &tool, &folder, NatsOptions::default()).await.map(Some)
        };
        // Both to their end, also when one fails: a server that is being started must not be left to itself.
        let (postgres, nats) = tokio::join!(postgres, nats);
        let (postgres, nats) = match (postgres, nats) {
            (Ok(postgres), Ok(nats)) => (postgres, nats),
            (postgres, nats) => {
                if let Ok(Some(postgres)) = &postgres {
                    postgres.stop().await;
                }
                if let Ok(Some(nats)) = &nats {
                    nats.stop().await;
                }
                postgres?;
                nats?;
                anyhow::bail!("the servers did not start");
            }
        };
        let given = options.database_url;
        let database_url = given.clone().or_else(|| postgres.as_ref().map(PostgresServer::url)).unwrap_or_default();
        let owner_url = given.or_else(|| postgres.as_ref().map(PostgresServer::owner_url)).unwrap_or_default();
        let nats_url = options.nats_url.or_else(|| nats.as_ref().map(NatsServer::url)).unwrap_or_default();
        Ok(Self { postgres, nats, database_url, owner_url, nats_url, folder, ephemeral, _lock: lock })
    }

    /// The database's URL, given or private; holds the password.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The database's URL as the role that owns it: of the private one, else that which was given.
    pub fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// The URL of NATS, given or private; holds the password.
    pub fn nats_url(&self) -> &str {
        &self.nats_url
    }

    /// The private Postgres, unless a database was given.
    pub fn postgres(&self) -> Option<&PostgresServer> {
        self.postgres.as_ref()
    }

    /// The private NATS, unless one was given.
    pub fn nats(&self) -> Option<&NatsServer> {
        self.nats.as_ref()
    }

    /// The folder of this instance's data; a temporary one when ephemeral.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Starts a server again that has ended, for as long as this is polled.
    pub async fn keep_running(&self) -> Infallible {
        let postgres = async {
            match &self.postgres {
                Some(postgres) => {
                    keep("Postgres", async || postgres.ended().await, async || postgres.restart().await).await
                }
                None => std::future::pending().await,
            }
        };
        let nats = async {
            match &self.nats {
                Some(nats) => keep("NATS", async || nats.ended().await, async || nats.restart().await).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = postgres => never,
            never = nats => never,
        }
    }

    /// Stops both servers, cleanly unless they are ephemeral, and removes an ephemeral folder.
    pub async fn stop(self) {
        let postgres = async {
            if let Some(postgres) = &self.postgres {
                postgres.stop().await;
            }
        };
        let nats = async {
            if let Some(nats) = &self.nats {
                nats.stop().await;
            }
        };
        tokio::join!(postgres, nats);
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(ephemeral) = &self.ephemeral {
            // After `stop` there is nothing left to end; without it the folder must not be removed under the servers.
            ephemeral.end_processes();
        }
    }
}

/// Starts a server again whenever it has ended; one that ends again and again is given more and more time.
async fn keep(name: &str, ended: impl AsyncFn(), restart: impl AsyncFn() -> anyhow::Result<()>) -> Infallible {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let since = tokio::time::Instant::now();
        ended().await;
        pause = if since.elapsed() > LONGEST_PAUSE { SHORTEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tracing::warn!(name, "a private server has ended: it is started again");
        match restart().await {
            Ok(()) => tracing::info!(name, "a private server is back"),
            Err(error) => tracing::error!(name, "a private server cannot be started again: {error:#}"),
        }
        tokio::time::sleep(pause).await;
    }
}
