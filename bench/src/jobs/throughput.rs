//! Jobs from end to end: submitted over HTTP, started, done, and shown as done by the views, while others are
//! submitted.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hyper::body::Bytes;
use serde_json::Value;

use super::{
    CLIENTS,
    beside::Beside,
    noop,
    peer::Peers,
    stage::{OFTEN, Stage},
};
use crate::{Options, report::progress};

/// Jobs a second.
const BAR: f64 = 1000.0;

/// Measures.
///
/// # Errors
/// A job is refused, or lost.
pub async fn measure(stage: &Stage, peers: &mut Peers, options: &Options) -> anyhow::Result<Value> {
    let mut rates = Beside::new(peers);
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: no-ops over {CLIENTS} connections"));
        rates.keep(round(stage, options.duration()).await?);
        rates.keep_theirs(peers.flow(CLIENTS).await?);
    }
    Ok(rates.show(&format!("no-ops over {CLIENTS} connections, until the views show their end"), BAR))
}

async fn round(stage: &Stage, duration: Duration) -> anyhow::Result<f64> {
    let body = Bytes::from(noop().to_string());
    let begun = Instant::now();
    let count = stage.submit(usize::MAX, Some(begun + duration), |_| Ok(body.clone())).await?;
    stage.settle(OFTEN).await?;
    let took = begun.elapsed();
    ensure!(count > 0, "no job was submitted");
    Ok(f64::from(u32::try_from(count)?) / took.as_secs_f64())
}
