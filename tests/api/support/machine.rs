//! What all tests share: the binary, the tools, one Postgres.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};
use workroom::database;
use workroom_dev::{
    child,
    services::{Services, ServicesOptions},
};

/// The binary under test.
pub fn workroom() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_workroom"))
}

/// The program that starts sandboxes, built beside it.
pub fn launcher() -> PathBuf {
    let launcher = workroom().with_file_name("workroom-launcher");
    assert!(launcher.is_file(), "workroom-launcher: `cargo build --workspace --bins` first");
    launcher
}

/// The binary that `./dev` calls, built beside it.
pub fn workroom_dev() -> PathBuf {
    child::own_bin().expect("workroom-dev: `cargo build --workspace --bins` first")
}

/// The data folder that holds fetched tools and what is thrown away afterwards.
pub fn data_dir() -> PathBuf {
    std::env::var_os("WORKROOM_DATA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".workroom"), PathBuf::from)
}

/// Options for throw-away servers; give a URL for what is not wanted.
pub fn ephemeral(database_url: Option<&str>, nats_url: Option<&str>) -> ServicesOptions {
    ServicesOptions {
        data_dir: data_dir(),
        ephemeral: true,
        database_url: database_url.map(str::to_owned),
        nats_url: nats_url.map(str::to_owned),
        own_bin: workroom_dev(),
        durable: false,
    }
}

/// The URLs of one database, by role.
#[derive(Clone, Debug)]
pub struct DatabaseUrls {
    /// The role that owns the schema.
    pub owner: String,
    /// The role of the service.
    pub service: String,
    /// The role of processes that only run jobs.
    pub worker: String,
    /// The superuser.
    pub admin: String,
}

impl DatabaseUrls {
    /// Of the database that comes with a private Postgres.
    pub fn of(services: &Services) -> Self {
        let postgres = services.postgres().expect("a private Postgres");
        Self {
            owner: postgres.owner_url(),
            service: postgres.url(),
            worker: postgres.worker_url(),
            admin: postgres.admin_url(),
        }
    }

    /// Of another database of the same server.
    pub fn named(&self, name: &str) -> Self {
        let named = |url: &str| {
            let mut url = reqwest::Url::parse(url).expect("a URL");
            url.set_path(name);
            url.to_string()
        };
        Self {
            owner: named(&self.owner),
            service: named(&self.service),
            worker: named(&self.worker),
            admin: named(&self.admin),
        }
    }
}

/// A database of the Postgres that all tests share, with the schema and nothing else: others are copied from it.
pub const MIGRATED: &str = "migrated";

/// The Postgres that all tests share, with the database [`MIGRATED`]. It runs on a thread of its own until the process ends.
pub fn postgres() -> &'static DatabaseUrls {
    static SHARED: OnceLock<DatabaseUrls> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let services = Services::start(ephemeral(None, Some("unused"))).await.expect("Postgres");
                let urls = DatabaseUrls::of(&services);
                make_migrated(&urls).await;
                sender.send(urls).expect("somebody who waits");
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("Postgres to start")
    })
}

/// A database is copied while nobody uses it: nobody can.
async fn make_migrated(urls: &DatabaseUrls) {
    let mut admin = PgConnection::connect(&urls.admin).await.expect("a connection");
    let create = format!("CREATE DATABASE {MIGRATED} OWNER workroom_owner");
    sqlx::query(&create).execute(&mut admin).await.expect("a database");
    let options = database::options(&urls.named(MIGRATED).owner).expect("options");
    database::migrate(&options).await.expect("migrations");
    let close = format!("ALTER DATABASE {MIGRATED} ALLOW_CONNECTIONS false");
    sqlx::query(&close).execute(&mut admin).await.expect("no connections");
}

/// How many of a race's rounds to run: all with `./dev test --long`, a quarter without.
pub fn rounds_of(all: usize) -> usize {
    if std::env::var_os("WORKROOM_TEST_LONG").is_some() { all } else { all / 4 }
}

/// Waits until a condition holds, asking again and again; fails after twenty seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl FnMut() -> F) {
    within(Duration::from_secs(20), what, holds).await;
}

/// The same, with another limit; tells how long it took.
pub async fn within<F: Future<Output = bool>>(limit: Duration, what: &str, mut holds: impl FnMut() -> F) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}
