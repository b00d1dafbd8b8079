//! `./dev bench commands`: what a command costs, beside the cheapest durable write that Postgres can do.
//!
//! (a) pgbench inserts one row a transaction; (b) the log appends one event a call, over as many callers; (c) a whole
//! command: HTTP, signed in, validated, decided, committed, projected, visible, answered. All three commit to the same
//! Postgres with `fsync` and `synchronous_commit` on. Then the same command on an aggregate with 10 and with 100,000
//! events behind it.

mod history;
mod log;
mod over_http;

pub use over_http::{change, found_project, sign_in};

use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};
use workroom::database;
use workroom_dev::{
    child::{own_bin, workroom_bin},
    folder::DataFolder,
    services::{Services, ServicesOptions},
    tools::{self, ToolStore},
};

use crate::{
    Options, pgbench,
    report::{line, progress},
    samples::{Figures, median},
    server::Server,
};

const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// Everything that is measured, as a name and a unit of work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Insert,
    Append,
    Command,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Insert, Self::Append, Self::Command];

    fn name(self) -> &'static str {
        match self {
            Self::Insert => "(a) pgbench insert",
            Self::Append => "(b) log append",
            Self::Command => "(c) command over HTTP",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Append => "append",
            Self::Command => "command",
        }
    }
}

/// The servers that all measurements share.
struct Bench {
    services: Services,
    binary: PathBuf,
    pgbench: tools::Tool,
    folder: PathBuf,
    data_dir: PathBuf,
}

/// Runs the benchmark.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let outcome = measure(&bench, options).await;
    std::fs::remove_dir_all(&bench.folder).ok();
    bench.services.stop().await;
    outcome
}

async fn measure(bench: &Bench, options: &Options) -> anyhow::Result<()> {
    let http = over_http::Stage::prepare(bench).await?;
    let idle_mib = http.server.resident_mib();
    let log = log::Stage::prepare(bench).await?;
    bench.prepare_rows().await?;
    let mut measured: Vec<(Subject, usize, Vec<Figures>)> =
        Subject::ALL.iter().flat_map(|s| CONNECTIONS.map(|c| (*s, c, Vec::new()))).collect();
    for round in 1..=options.rounds.max(1) {
        // Side by side within a round: whatever else the machine does then, it does to all three.
        for connections in CONNECTIONS {
            let wanted = |subject: &Subject| options.wants(subject.key());
            for (subject, _, figures) in measured.iter_mut().filter(|(s, c, _)| *c == connections && wanted(s)) {
                progress(&format!("round {round}: {} over {connections} connections", subject.name()));
                figures.push(match subject {
                    Subject::Insert => bench.insert(connections, options).await?,
                    Subject::Append => log.measure(connections, options.duration()).await?,
                    Subject::Command => http.measure(connections, options.duration()).await?,
                });
            }
        }
    }
    let busy_mib = http.server.resident_mib();
    http.stop().await;
    measured.retain(|(.., figures)| !figures.is_empty());
    let table = table(&measured);
    let mut json = show(&table);
    if options.wants("history") {
        progress("commands on short and long histories");
        json.insert("history".to_owned(), history::measure(bench, options).await?.show());
    }
    line(&format!(
        "\nmemory of the service: {} MiB idle, {} MiB after the load",
        idle_mib.map_or("?".to_owned(), |mib| format!("{mib:.0}")),
        busy_mib.map_or("?".to_owned(), |mib| format!("{mib:.0}")),
    ));
    json.insert("idle_mib".to_owned(), json!(idle_mib));
    json.insert("busy_mib".to_owned(), json!(busy_mib));
    options.write(json)
}

struct Row {
    subject: Subject,
    connections: usize,
    figures: Figures,
    /// Throughput as a multiple of pgbench's in the same round; the median of the rounds.
    ratio: f64,
}

fn table(measured: &[(Subject, usize, Vec<Figures>)]) -> Vec<Row> {
    measured
        .iter()
        .map(|(subject, connections, rounds)| {
            let yardstick = measured.iter().find(|(s, c, _)| *s == Subject::Insert && c == connections);
            let yardstick = yardstick.map(|(.., rounds)| rounds.as_slice()).unwrap_or_default();
            let ratio = median(rounds.iter().zip(yardstick).map(|(own, insert)| own.per_second / insert.per_second));
            Row { subject: *subject, connections: *connections, figures: Figures::median(rounds), ratio }
        })
        .collect()
}

fn show(table: &[Row]) -> Map<String, Value> {
    line(&format!(
        "{:<24}{:>12}{:>14}{:>12}{:>12}{:>10}",
        "", "connections", "per second", "p50 ms", "p99 ms", "ratio"
    ));
    let mut json = Map::new();
    for Row { subject, connections, figures, ratio } in table {
        line(&format!(
            "{:<24}{:>12}{:>14.0}{:>12.2}{:>12.2}{:>10.2}",
            subject.name(),
            connections,
            figures.per_second,
            figures.p50_us / 1000.0,
            figures.p99_us / 1000.0,
            ratio,
        ));
        let mut value = figures.json();
        value["ratio"] = json!(ratio);
        json.insert(format!("{}_{connections}", subject.key()), value);
    }
    json
}

impl Bench {
    async fn start() -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let data_dir = std::env::var_os("WORKROOM_DATA_DIR").map_or_else(|| ".workroom".into(), PathBuf::from);
        let services = Services::start(ServicesOptions {
            data_dir: data_dir.clone(),
            ephemeral: true,
            database_url: None,
            nats_url: Some("each service starts its own".to_owned()),
            own_bin: own_bin()?,
            durable: true,
        })
        .await?;
        let store = ToolStore::new(&DataFolder::open(&data_dir)?);
        let pgbench = tokio::task::spawn_blocking(move || tools::pgbench::RECIPE.ensure(&store)).await??;
        let folder = std::env::temp_dir().join(format!("workroom-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let data_dir = std::path::absolute(data_dir)?;
        Ok(Self { services, binary, pgbench, folder, data_dir })
    }

    /// A database of its own for a measurement; returns its URL.
    async fn database(&self, name: &str) -> anyhow::Result<String> {
        let url = self.services.owner_url();
        let postgres = self.services.postgres().context("a Postgres of the benchmark's own")?;
        let mut connection = PgConnection::connect(&postgres.admin_url()).await?;
        sqlx::query(&format!("CREATE DATABASE {name} OWNER workroom_owner")).execute(&mut connection).await?;
        let (server, query) = url.split_once('?').map_or((url, ""), |(server, query)| (server, query));
        let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
        Ok(if query.is_empty() { format!("{base}/{name}") } else { format!("{base}/{name}?{query}") })
    }

    /// A database with the service's schema; returns its URL.
    async fn workroom_database(&self, name: &str) -> anyhow::Result<String> {
        let url = self.database(name).await?;
        database::migrate(&database::options(&url)?).await?;
        Ok(url)
    }

    /// A NATS of its own for a database: a stream is the copy of one log.
    async fn nats(&self, database_url: &str) -> anyhow::Result<Services> {
        Services::start(ServicesOptions {
            data_dir: self.data_dir.clone(),
            ephemeral: true,
            database_url: Some(database_url.to_owned()),
            nats_url: None,
            own_bin: own_bin()?,
            durable: true,
        })
        .await
    }

    async fn server(&self, database_url: &str, nats: &Services) -> anyhow::Result<Server> {
        Server::start(&self.binary, database_url, nats.nats_url()).await
    }

    async fn prepare_rows(&self) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(self.services.owner_url()).await?;
        sqlx::query("CREATE TABLE bench_rows (id bigserial PRIMARY KEY, payload text NOT NULL)")
            .execute(&mut connection)
            .await?;
        Ok(())
    }

    async fn insert(&self, connections: usize, options: &Options) -> anyhow::Result<Figures> {
        let path = &self.pgbench.path;
        let libraries = path.parent().and_then(|bin| bin.parent()).map(|root| root.join("lib"));
        let libraries = libraries.filter(|folder| folder.starts_with(&self.data_dir));
        pgbench::insert(
            path,
            libraries.as_deref(),
            self.services.owner_url(),
            &self.folder,
            connections,
            options.duration(),
        )
        .await
    }
}
