//! `./dev bench live`: how long an event takes to a socket, how many deliveries a second there are, and what sockets cost: idle ones,
//! those that come back, and those that do not read.

mod bare_send;
mod database;
mod deliveries;
mod idle;
mod latency;
pub(crate) mod reader;
mod resume;
mod rights;
mod slow;
mod socket;
mod socket_io;
mod storm;
mod wiped;
mod writers;

use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value};
use workroom_dev::{child::workroom_bin, services::Services};

use crate::{
    Options,
    commands::sign_in,
    http_client::Connection,
    server::{Server, services},
};
use database::Database;

/// How long a reader may take for what it is about to read.
const PATIENCE: Duration = Duration::from_mins(2);

struct Stage {
    services: Services,
    database: Database,
    server: Server,
    token: String,
}

/// Runs the benchmark.
///
/// # Errors
/// Something it needs is missing or fails; an event is lost, or out of order.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::prepare().await?;
    let mut json = Map::new();
    let mut keep = |name: &str, value: Value| json.insert(name.to_owned(), value);
    if options.wants("latency") {
        keep("latency", latency::measure(&stage, options).await?);
    }
    if options.wants("deliveries") {
        keep("deliveries", deliveries::measure(&stage, options).await?);
    }
    if options.wants("idle") {
        keep("idle", idle::measure(&stage).await?);
    }
    if options.wants("resume") {
        keep("resume", resume::measure(&stage).await?);
    }
    if options.wants("storm") {
        keep("storm", storm::measure(&stage, options).await?);
    }
    if options.wants("slow") {
        keep("slow", slow::measure(&stage).await?);
    }
    if options.wants("rights") {
        keep("rights", rights::measure(&stage, options).await?);
    }
    if options.wants("wiped") {
        keep("wiped", wiped::measure(&stage).await?);
    }
    stage.server.stop().await;
    stage.database.close().await;
    stage.services.stop().await;
    options.write(json)
}

impl Stage {
    async fn prepare() -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let services = services().await?;
        let database = Database::prepare(&services).await?;
        let server = Server::start(&binary, services.owner_url(), services.nats_url()).await?;
        let token = sign_in(&mut Connection::open(&server.address).await?).await?;
        Ok(Self { services, database, server, token })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection::open(&self.server.address).await?;
        connection.sign_in(&self.token);
        Ok(connection)
    }

    fn processor_time(&self) -> anyhow::Result<Duration> {
        self.server.processor_time().context("the service's processor time cannot be read")
    }

    fn resident_mib(&self) -> anyhow::Result<f64> {
        self.server.resident_mib().context("the service's memory cannot be read")
    }
}

fn micros(duration: Duration) -> anyhow::Result<u32> {
    Ok(u32::try_from(duration.as_micros())?)
}

#[expect(clippy::cast_precision_loss, reason = "a count that is divided")]
fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().map_or(f64::NAN, |count| count as f64)
}
