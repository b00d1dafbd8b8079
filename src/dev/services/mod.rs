//! The private servers of an instance: what `./dev up` and the tests start before the service itself.

mod ephemeral;
mod identity;
mod logs;
pub mod nats;
mod ports;
pub mod postgres;
mod processes;
mod template;

use std::path::PathBuf;

use anyhow::Context;

pub use nats::{NatsOptions, NatsServer};
pub use postgres::{PostgresOptions, PostgresServer};

use self::ephemeral::Ephemeral;
use self::template::Template;
use super::child::Spawner;
use super::folder::{DataFolder, FolderLock};
use super::tools::{self, ToolStore};

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
    /// The binary that knows `exec-child`; see [`super::child::workroom_bin`].
    pub workroom_bin: PathBuf,
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
        let spawner = Spawner::new(options.workroom_bin)?;
        let store = ToolStore::new(&shared);

        let postgres = async {
            if options.database_url.is_some() {
                return Ok(None);
            }
            let (store, major) = (store.clone(), postgres::data_version(&folder));
            let tool = blocking(move || tools::postgres::ensure_for(&store, major)).await?;
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
            let store = store.clone();
            let tool = blocking(move || tools::nats_server::RECIPE.ensure(&store)).await?;
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
        let database_url =
            options.database_url.or_else(|| postgres.as_ref().map(PostgresServer::url)).unwrap_or_default();
        let nats_url = options.nats_url.or_else(|| nats.as_ref().map(NatsServer::url)).unwrap_or_default();
        Ok(Self { postgres, nats, database_url, nats_url, folder, ephemeral, _lock: lock })
    }

    /// The database's URL, given or private; holds the password.
    pub fn database_url(&self) -> &str {
        &self.database_url
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the search for a program was broken off")?
}
