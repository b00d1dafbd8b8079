//! The peers of Workroom's jobs: `BullMQ` on Redis, which syncs each write to disk; and graphile-worker on the same
//! Postgres server. Each is a process of Node that takes orders, one a line, and measures by itself.

mod node;
mod redis;

use std::time::Duration;

use serde_json::{Value, json};

use self::{
    node::{Process, Program},
    redis::Redis,
};
use super::stage::Stage;
use crate::{Options, report::line, samples::Figures};

const BULLMQ: Program =
    Program { name: "bullmq", package: include_str!("bullmq/package.json"), code: include_str!("bullmq/worker.js") };
const GRAPHILE: Program = Program {
    name: "graphile-worker",
    package: include_str!("graphile/package.json"),
    code: include_str!("graphile/worker.js"),
};
/// How many jobs each is given to measure how many it does a second: one at a time takes longer.
const BULLMQ_JOBS: usize = 20_000;
const GRAPHILE_JOBS: usize = 5000;
/// The database of graphile-worker.
const DATABASE: &str = "bench_graphile";

/// A peer at work.
struct Peer {
    /// What it is called in the figures.
    key: &'static str,
    /// What it is called in the report.
    name: String,
    jobs: usize,
    process: Process,
    /// What it stands on.
    redis: Option<Redis>,
}

/// Those that are there.
pub struct Peers(Vec<Peer>);

impl Peers {
    /// Installs and starts those that are wanted. Where something is missing for one, the report says so.
    ///
    /// # Errors
    /// One is installed, but does not start.
    pub async fn start(stage: &Stage, options: &Options) -> anyhow::Result<Self> {
        let mut peers = Vec::new();
        if options.wants("bullmq") {
            peers.extend(bullmq(stage).await?);
        }
        if options.wants("graphile") {
            peers.extend(graphile(stage).await?);
        }
        Ok(Self(peers))
    }

    /// What each is called in the figures, and in the report.
    pub fn names(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|peer| (peer.key, peer.name.clone())).collect()
    }

    /// Jobs a second of each, while so many add jobs.
    ///
    /// # Errors
    /// One fails.
    pub async fn flow(&mut self, adders: usize) -> anyhow::Result<Vec<f64>> {
        self.rates(|jobs| json!({"order": "flow", "jobs": jobs, "adders": adders})).await
    }

    /// Jobs a second of each, of jobs that wait.
    ///
    /// # Errors
    /// One fails.
    pub async fn drain(&mut self) -> anyhow::Result<Vec<f64>> {
        self.rates(|jobs| json!({"order": "drain", "jobs": jobs})).await
    }

    async fn rates(&mut self, order: impl Fn(usize) -> Value) -> anyhow::Result<Vec<f64>> {
        let mut rates = Vec::with_capacity(self.0.len());
        for peer in &mut self.0 {
            let answer = peer.process.order(&order(peer.jobs)).await?;
            let [jobs, seconds] = ["jobs", "seconds"].map(|member| answer[member].as_f64().unwrap_or(f64::NAN));
            rates.push(jobs / seconds);
        }
        Ok(rates)
    }

    /// How long each takes from adding a job to its start, at so many a second.
    ///
    /// # Errors
    /// One fails.
    pub async fn paced(&mut self, rate: u32, jobs: usize) -> anyhow::Result<Vec<Figures>> {
        let took = Duration::from_secs(u64::try_from(jobs)?) / rate;
        let mut figures = Vec::with_capacity(self.0.len());
        for peer in &mut self.0 {
            let mut answer = peer.process.order(&json!({"order": "paced", "jobs": jobs, "rate": rate})).await?;
            let latencies: Vec<u32> = serde_json::from_value(answer["latencies_us"].take())?;
            figures.push(Figures::of(latencies, took));
        }
        Ok(figures)
    }

    /// Ends them.
    pub async fn stop(self) {
        for peer in self.0 {
            peer.process.stop().await;
            if let Some(redis) = peer.redis {
                redis.stop().await;
            }
        }
    }
}

async fn bullmq(stage: &Stage) -> anyhow::Result<Option<Peer>> {
    // On the same disk as Postgres.
    let data = stage.services.folder().root().join("redis");
    let found = async { anyhow::Ok((Redis::start(&data).await?, BULLMQ.install().await?)) };
    let (redis, folder) = match found.await {
        Ok(found) => found,
        Err(error) => return Ok(left_out("BullMQ", &error)),
    };
    let process = Process::start(&folder, &redis.port.to_string()).await?;
    let name = format!("{} on {}", process.name, redis.name);
    Ok(Some(Peer { key: "bullmq", name, jobs: BULLMQ_JOBS, process, redis: Some(redis) }))
}

async fn graphile(stage: &Stage) -> anyhow::Result<Option<Peer>> {
    let folder = match GRAPHILE.install().await {
        Ok(folder) => folder,
        Err(error) => return Ok(left_out("graphile-worker", &error)),
    };
    stage.log.create_database(DATABASE).await?;
    let process = Process::start(&folder, &named(stage.services.owner_url(), DATABASE)).await?;
    let name = process.name.clone();
    Ok(Some(Peer { key: "graphile", name, jobs: GRAPHILE_JOBS, process, redis: None }))
}

fn left_out(name: &str, error: &anyhow::Error) -> Option<Peer> {
    line(&format!("{name} is left out: {error:#}"));
    None
}

/// The same server's database of this name.
fn named(url: &str, database: &str) -> String {
    let (server, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
    format!("{base}/{database}{query}")
}
