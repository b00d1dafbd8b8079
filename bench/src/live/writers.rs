//! Those who change a project: as fast as they can, or at a fixed rate.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use super::Stage;
use crate::commands::change;

/// Connections that commands at a fixed rate take turns on, so that one need not wait for the one before.
const LANES: usize = 8;

/// A command that was done.
pub struct Done {
    pub sent: Instant,
    pub reply: Duration,
    /// The version of the project behind it.
    pub version: i64,
}

/// Writes with so many connections until a moment. Returns the number of commands.
///
/// # Errors
/// A command fails.
pub async fn write_until(stage: &Stage, project: &str, writers: usize, end: Instant) -> anyhow::Result<usize> {
    let writers = (0..writers).map(|writer| {
        let (path, connection) = (format!("/api/v1/projects/{project}"), stage.connect());
        async move {
            let mut connection = connection.await?;
            let mut count = 0;
            while Instant::now() < end {
                let body = Bytes::from(change(writer * 1_000_003 + count).to_string());
                connection.send(Method::PATCH, &path, body).await?;
                count += 1;
            }
            anyhow::Ok(count)
        }
    });
    Ok(try_join_all(writers).await?.into_iter().sum())
}

/// Writes so many commands with so many connections, as fast as they can.
///
/// # Errors
/// A command fails.
pub async fn write(stage: &Stage, project: &str, writers: usize, count: usize) -> anyhow::Result<()> {
    let writers = (0..writers).map(|writer| {
        let (path, connection) = (format!("/api/v1/projects/{project}"), stage.connect());
        async move {
            let mut connection = connection.await?;
            for number in (writer..count).step_by(writers) {
                connection.send(Method::PATCH, &path, Bytes::from(change(number).to_string())).await?;
            }
            anyhow::Ok(())
        }
    });
    try_join_all(writers).await?;
    Ok(())
}

/// Writes at a fixed rate, whatever the replies take.
///
/// # Errors
/// A command fails.
pub async fn write_at(stage: &Stage, project: &str, rate: u64, count: usize) -> anyhow::Result<Vec<Done>> {
    let path: Arc<str> = format!("/api/v1/projects/{project}").into();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(rate)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        lanes.push(Arc::new(tokio::sync::Mutex::new(stage.connect().await?)));
    }
    let mut sending = Vec::with_capacity(count);
    for number in 0..count {
        ticks.tick().await;
        let (lane, path) = (Arc::clone(&lanes[number % LANES]), Arc::clone(&path));
        sending.push(tokio::spawn(async move {
            let sent = Instant::now();
            let body = Bytes::from(change(number).to_string());
            let reply = lane.lock().await.send(Method::PATCH, &path, body).await?;
            let elapsed = sent.elapsed();
            let reply: Value = serde_json::from_slice(&reply)?;
            let version = reply["version"].as_i64().context("no version")?;
            anyhow::Ok(Done { sent, reply: elapsed, version })
        }));
    }
    let mut done = Vec::with_capacity(count);
    for one in sending {
        done.push(one.await??);
    }
    // Every change of the project is one event: its place follows from its version.
    done.sort_by_key(|one| one.version);
    Ok(done)
}
