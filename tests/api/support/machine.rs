//! What all tests share: the binary, the tools, one Postgres.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use workroom::dev::{
    folder::DataFolder,
    services::{Services, ServicesOptions},
    tools::{self, ToolStore},
};

/// The binary under test.
pub fn workroom() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_workroom"))
}

/// The data folder that holds fetched tools and what is thrown away afterwards.
pub fn data_dir() -> PathBuf {
    std::env::var_os("WORKROOM_DATA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".workroom"), PathBuf::from)
}

/// bubblewrap, installed or fetched.
pub fn bubblewrap() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let store = ToolStore::new(&DataFolder::open(&data_dir()).expect("a data folder"));
        tools::bubblewrap::RECIPE.ensure(&store).expect("bubblewrap").path
    })
}

/// Options for throw-away servers; give a URL for what is not wanted.
pub fn ephemeral(database_url: Option<&str>, nats_url: Option<&str>) -> ServicesOptions {
    ServicesOptions {
        data_dir: data_dir(),
        ephemeral: true,
        database_url: database_url.map(str::to_owned),
        nats_url: nats_url.map(str::to_owned),
        workroom_bin: workroom().to_owned(),
        durable: false,
    }
}

/// The URL of the Postgres that all tests share. It runs on a thread of its own until the process ends.
pub fn postgres() -> &'static str {
    static SHARED: OnceLock<String> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let services = Services::start(ephemeral(None, Some("unused"))).await.expect("Postgres");
                sender.send(services.database_url().to_owned()).expect("somebody who waits");
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("Postgres to start")
    })
}

/// How many of a race's rounds to run: all with `./dev test --long`, a quarter without.
pub fn rounds_of(all: usize) -> usize {
    if std::env::var_os("WORKROOM_TEST_LONG").is_some() { all } else { all / 4 }
}

/// Waits until a condition holds, asking again and again; fails after twenty seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
