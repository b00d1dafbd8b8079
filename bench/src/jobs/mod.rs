//! `./dev bench jobs`: what jobs cost and how long they wait, beside `BullMQ` and graphile-worker; what the sandbox
//! adds to a program; how soon a cancelled job is dead, and a job of a killed worker runs again. It fails when a job
//! is lost, or ends twice.
//!
//! Times in the log are those at which Postgres writes the events. Everything runs on one machine, with one clock.

mod beside;
mod cancel;
mod delayed;
mod drain;
mod killed;
mod log;
mod peer;
mod processes;
mod sandbox;
mod stage;
mod start;
mod throughput;

use std::time::Duration;

use serde_json::{Map, Value, json};

use self::{peer::Peers, stage::Stage};
use crate::{Options, within};

/// How long all of it may take.
const BOUND: Duration = Duration::from_mins(40);
/// How long anything may take that is about to happen.
const PATIENCE: Duration = Duration::from_mins(5);
/// Connections that submit jobs as fast as they can.
const CLIENTS: usize = 64;

/// Runs the benchmark.
///
/// # Errors
/// Something it needs is missing or fails; a job is lost, or ends twice.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    options.write(within(BOUND, measure(options)).await?)
}

async fn measure(options: &Options) -> anyhow::Result<Map<String, Value>> {
    let mut stage = Stage::prepare().await?;
    let mut peers = Peers::start(&stage, options).await?;
    let mut json = Map::new();
    let mut keep = |name: &str, value: Value| json.insert(name.to_owned(), value);
    // What a peer is compared in is measured with it.
    let compared = |part: &str| [part, "bullmq", "graphile"].iter().any(|name| options.wants(name));
    let runs_code = |part: &str| options.wants(part) && stage.runs_code();
    if compared("throughput") {
        keep("throughput", stage.checked(throughput::measure(&stage, &mut peers, options)).await?);
    }
    if compared("drain") {
        keep("drain", stage.checked(drain::noops(&stage, &mut peers, options)).await?);
    }
    if runs_code("drain") {
        keep("drain_bash", stage.checked(drain::programs(&stage, options)).await?);
    }
    if compared("start") {
        keep("start", stage.checked(start::noops(&stage, &mut peers, options)).await?);
    }
    if runs_code("start") {
        keep("start_bash", stage.checked(start::programs(&stage, options)).await?);
    }
    if options.wants("delayed") {
        keep("delayed", stage.checked(delayed::measure(&stage, options)).await?);
    }
    peers.stop().await;
    if runs_code("sandbox") {
        keep("sandbox", stage.checked(sandbox::measure(&stage, options)).await?);
    }
    if runs_code("cancel") {
        keep("cancel", stage.checked(cancel::measure(&stage)).await?);
    }
    if runs_code("killed") {
        stage.without_worker().await?;
        keep("killed", stage.checked(killed::measure(&stage)).await?);
    }
    stage.stop().await;
    Ok(json)
}

/// A job that does nothing.
fn noop() -> Value {
    json!({"type": "noop"})
}

/// A job that runs a program in the sandbox.
fn bash(code: &str) -> Value {
    json!({"type": "code_execution", "language": "bash", "code": code})
}
