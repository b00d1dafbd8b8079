//! `./dev bench audit`: what it costs to have the whole log in hand, at 1,000,000 events of 200 projects: replaying it
//! into fresh views, exporting it beside psql's `COPY` of the same rows, verifying the export on one core, reading a
//! project of a tenth of the log as it was; how far the signed checkpoints are behind while commands are carried out, and
//! what the tree costs these; and what memory all that takes.

mod commands;
mod copy;
mod fill;
mod process;
mod running;
mod tree_cost;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workroom_dev::{child::workroom_bin, services::Services};

use self::{fill::Project, process::Run};
use crate::{
    Options,
    commands::{found_project, sign_in},
    http_client::Connection,
    report::{line, progress},
    samples::median,
    server::{Server, services},
    within,
};

/// How long all of it may take.
const BOUND: Duration = Duration::from_hours(1);
/// Projects that the log tells of. The first has a tenth of all events.
const PROJECTS: usize = 200;
/// As long as a token may live, and as the benchmark may take: nobody signs in anew on the way.
const TOKEN_SECONDS: &str = "3600";
/// Nothing is copied to NATS: of a million events that would be most of the work.
const ROLES: &str = r#"["api","projector"]"#;

/// What to measure, and of how much.
#[derive(Args)]
pub struct AuditOptions {
    #[command(flatten)]
    options: Options,
    /// Events in the log.
    #[arg(long, default_value_t = 1_000_000)]
    events: i64,
}

/// The servers, and the log that all parts read.
struct Stage {
    services: Services,
    pool: PgPool,
    binary: PathBuf,
    folder: PathBuf,
    token: String,
    projects: Vec<Project>,
    /// The log's last position when it was filled.
    head: i64,
}

/// Runs the benchmark.
///
/// # Errors
/// Something it needs is missing or fails; a command finds the log or the views to be wrong.
pub async fn run(audit: &AuditOptions) -> anyhow::Result<()> {
    ensure!(audit.events >= 10_000, "fewer than 10,000 events tell nothing");
    audit.options.write(within(BOUND, measure(audit)).await?)
}

async fn measure(audit: &AuditOptions) -> anyhow::Result<Map<String, Value>> {
    let stage = Stage::prepare(audit.events).await?;
    let outcome = stage.measure(&audit.options).await;
    std::fs::remove_dir_all(&stage.folder).ok();
    stage.pool.close().await;
    stage.services.stop().await;
    outcome
}

impl Stage {
    async fn prepare(events: i64) -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let services = services().await?;
        let server = start(&binary, &services).await?;
        let mut connection = Connection::open(&server.address).await?;
        let token = sign_in(&mut connection).await?;
        let mut ids: Vec<Uuid> = Vec::with_capacity(PROJECTS);
        for _ in 0..PROJECTS {
            ids.push(found_project(&mut connection).await?.parse()?);
        }
        server.stop().await;
        let postgres = services.postgres().context("the benchmark has a Postgres of its own")?;
        let pool = PgPool::connect(&postgres.admin_url()).await?;
        progress(&format!("{events} events are written"));
        let projects = fill::fill(services.owner_url(), &ids, events).await?;
        // As autovacuum would have done by and by.
        sqlx::query("VACUUM ANALYZE events").execute(&pool).await?;
        let head = head(&pool).await?;
        let folder = std::env::temp_dir().join(format!("workroom-bench-audit-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { services, pool, binary, folder, token, projects, head })
    }

    async fn measure(&self, options: &Options) -> anyhow::Result<Map<String, Value>> {
        let mut json = Map::new();
        json.insert("events".to_owned(), json!(self.head));
        line(&format!("{} events of {PROJECTS} projects", self.head));
        let server = start(&self.binary, &self.services).await?;
        progress("the views and the tree of the log catch up");
        let built = running::caught_up(&self.pool, self.head).await?;
        json.insert("caught_up_s".to_owned(), json!(built.as_secs_f64()));
        line(&format!(
            "views, tree and checkpoint at the end of the log: {:.1} s after the start, {} events/s",
            built.as_secs_f64(),
            rate(self.head, built)
        ));
        if options.wants("as_of") {
            let project = self.projects.first().context("no project")?;
            json.insert("as_of".to_owned(), running::as_of(self, &server, project, options).await?);
        }
        if options.wants("lag") {
            json.insert("lag".to_owned(), running::lag(self, &server, options).await?);
        }
        server.stop().await;
        if options.wants("tree") {
            json.insert("tree".to_owned(), tree_cost::cost(self, options).await?);
        }
        if options.wants("export") || options.wants("verify") {
            for (name, value) in commands::export_and_verify(self, options).await? {
                json.insert(name, value);
            }
        }
        if options.wants("replay") {
            json.insert("replay".to_owned(), commands::replay(self, options).await?);
        }
        Ok(json)
    }
}

async fn start(binary: &Path, services: &Services) -> anyhow::Result<Server> {
    let variables = [("WORKROOM_ACCESS_TOKEN_SECONDS", TOKEN_SECONDS.to_owned()), ("WORKROOM_ROLES", ROLES.to_owned())];
    Server::start_with(binary, services.owner_url(), services.nats_url(), &variables).await
}

async fn head(pool: &PgPool) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT COALESCE(max(position), 0) FROM events").fetch_one(pool).await?)
}

/// Events a second, whole ones.
fn rate(events: i64, took: Duration) -> i64 {
    i64::try_from(i128::from(events) * 1000 / i128::try_from(took.as_millis().max(1)).unwrap_or(i128::MAX))
        .unwrap_or(i64::MAX)
}

/// The middle of the seconds that runs took.
fn seconds(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.took.as_secs_f64()))
}

/// The most memory that any of the runs took.
fn peak(runs: &[Run]) -> Option<f64> {
    runs.iter().filter_map(|run| run.peak_mib).max_by(f64::total_cmp)
}

fn mib(mib: Option<f64>) -> String {
    mib.map_or_else(|| "?".to_owned(), |mib| format!("{mib:.0}"))
}
