//! `./dev bench live`: how long an event takes to a socket, how many deliveries a second there are, and what an idle socket costs.
//!
//! Latency is told beside that of the command itself, in the same run: from sending a command to its reply, and from sending it to
//! the last reader's frame. The reply comes once the views show the change; the frame does not wait for that.

mod reader;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::{Map, Value, json};
use tokio::time::{MissedTickBehavior, interval};
use workroom_dev::{child::workroom_bin, services::Services};

use crate::{
    Options,
    commands::{change, found_project, sign_in},
    http_client::Connection,
    report::{line, progress},
    samples::{Figures, median},
    server::{Server, services},
};
use reader::Reader;

/// Commands a second, and readers of the project.
const SHAPES: [(u64, usize); 3] = [(100, 1), (500, 1), (500, 100)];
/// Writers and readers where as much is delivered as there can be.
const WRITERS: usize = 64;
const READERS: usize = 100;
/// Sockets that have subscribed and hear nothing.
const IDLE: usize = 2_000;
/// How long the readers may lag behind the last command.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    services: Services,
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
    if options.wants("latency") {
        json.insert("latency".to_owned(), stage.latencies(options).await?);
    }
    if options.wants("deliveries") {
        json.insert("deliveries".to_owned(), stage.deliveries(options).await?);
    }
    if options.wants("idle") {
        json.insert("idle".to_owned(), stage.idle().await?);
    }
    stage.server.stop().await;
    stage.services.stop().await;
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", Value::Object(json)))?;
    }
    Ok(())
}

impl Stage {
    async fn prepare() -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let services = services().await?;
        let server = Server::start(&binary, services.owner_url(), services.nats_url()).await?;
        let token = sign_in(&mut Connection::open(&server.address).await?).await?;
        Ok(Self { services, server, token })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection::open(&self.server.address).await?;
        connection.sign_in(&self.token);
        Ok(connection)
    }

    async fn latencies(&self, options: &Options) -> anyhow::Result<Value> {
        line(&format!("{:<34}{:>12}{:>12}{:>12}{:>12}", "", "reply p50", "reply p99", "frame p50", "frame p99"));
        let mut json = Map::new();
        for (rate, readers) in SHAPES {
            let name = format!("{rate}/s to {readers} readers");
            let (mut replies, mut frames) = (Vec::new(), Vec::new());
            for round in 1..=options.rounds.max(1) {
                progress(&format!("round {round}: {name}"));
                let (reply, frame) = self.latency(rate, readers, options.duration()).await?;
                replies.push(reply);
                frames.push(frame);
            }
            let (reply, frame) = (Figures::median(&replies), Figures::median(&frames));
            let milliseconds = [reply.p50_us, reply.p99_us, frame.p50_us, frame.p99_us].map(|us| us / 1000.0);
            let [a, b, c, d] = milliseconds;
            line(&format!("{:<34}{a:>12.2}{b:>12.2}{c:>12.2}{d:>12.2}", format!("{name}, ms")));
            json.insert(name, json!({"reply": reply.json(), "last_frame": frame.json()}));
        }
        Ok(Value::Object(json))
    }

    /// Commands at a fixed rate: how long each takes to its reply, and to the last reader.
    async fn latency(&self, rate: u64, readers: usize, duration: Duration) -> anyhow::Result<(Figures, Figures)> {
        let mut connection = self.connect().await?;
        let project = found_project(&mut connection).await?;
        let readers = (0..readers).map(|_| Reader::follow(&self.server.address, &self.token, &project));
        let readers = try_join_all(readers).await?;
        let start = readers.first().map_or(0, Reader::head);
        let count = usize::try_from(rate * duration.as_secs())?;
        let reading: Vec<_> = readers.into_iter().map(|reader| tokio::spawn(reader.arrivals(count))).collect();
        let path: Arc<str> = format!("/api/v1/projects/{project}").into();
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(rate)?);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        // Several connections, so that a command need not wait for the one before.
        let lanes = 8;
        let mut writers = Vec::new();
        for _ in 0..lanes {
            writers.push(Arc::new(tokio::sync::Mutex::new(self.connect().await?)));
        }
        let (begun, mut sending) = (Instant::now(), Vec::with_capacity(count));
        for number in 0..count {
            ticks.tick().await;
            let (writer, path) = (Arc::clone(&writers[number % lanes]), Arc::clone(&path));
            sending.push(tokio::spawn(async move {
                let sent = Instant::now();
                let body = Bytes::from(change(number).to_string());
                let reply = writer.lock().await.send(Method::PATCH, &path, body).await?;
                let reply: Value = serde_json::from_slice(&reply)?;
                anyhow::Ok((sent, sent.elapsed(), reply["version"].as_i64().context("no version")?))
            }));
        }
        let mut sent: Vec<(Instant, Duration, i64)> = Vec::with_capacity(count);
        for one in sending {
            sent.push(one.await??);
        }
        let took = begun.elapsed();
        // Every change of the project is one event: its place follows from its version.
        sent.sort_by_key(|(.., version)| *version);
        let mut last = vec![begun; count];
        for arrivals in reading {
            let arrivals = tokio::time::timeout(PATIENCE, arrivals).await.context("a reader waits")???;
            for (number, (seq, at)) in arrivals.into_iter().enumerate() {
                ensure!(seq == start + 1 + i64::try_from(number)?, "{seq} came in the place of another");
                last[number] = last[number].max(at);
            }
        }
        let replies = sent.iter().map(|(_, reply, _)| micros(*reply)).collect::<anyhow::Result<_>>()?;
        let frames = sent.iter().zip(&last).map(|((sent, ..), at)| micros(at.duration_since(*sent)));
        Ok((Figures::of(replies, took), Figures::of(frames.collect::<anyhow::Result<_>>()?, took)))
    }

    /// As much as there can be: 64 writers on one project with 100 readers.
    async fn deliveries(&self, options: &Options) -> anyhow::Result<Value> {
        let mut rounds = Vec::new();
        for round in 1..=options.rounds.max(1) {
            progress(&format!("round {round}: {WRITERS} writers, {READERS} readers"));
            let project = found_project(&mut self.connect().await?).await?;
            let follow = (0..READERS).map(|_| Reader::follow(&self.server.address, &self.token, &project));
            let delivered = Arc::new(AtomicU64::new(0));
            let readers = try_join_all(follow).await?;
            let reading: Vec<_> =
                readers.into_iter().map(|reader| tokio::spawn(reader.count(Arc::clone(&delivered)))).collect();
            let end = Instant::now() + options.duration();
            let writers = (0..WRITERS).map(|writer| {
                let (path, connection) = (format!("/api/v1/projects/{project}"), self.connect());
                async move {
                    let mut connection = connection.await?;
                    for number in 0.. {
                        if Instant::now() >= end {
                            break;
                        }
                        let body = Bytes::from(change(writer * 1_000_003 + number).to_string());
                        connection.send(Method::PATCH, &path, body).await?;
                    }
                    anyhow::Ok(())
                }
            });
            let begun = Instant::now();
            try_join_all(writers).await?;
            let (took, delivered) = (begun.elapsed(), delivered.load(Ordering::Relaxed));
            reading.iter().for_each(tokio::task::JoinHandle::abort);
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            rounds.push(delivered as f64 / took.as_secs_f64());
        }
        let per_second = median(rounds.into_iter());
        line(&format!("{WRITERS} writers, {READERS} readers: {per_second:.0} deliveries a second"));
        Ok(json!({"per_second": per_second}))
    }

    /// What a socket costs that has subscribed and hears nothing.
    async fn idle(&self) -> anyhow::Result<Value> {
        let project = found_project(&mut self.connect().await?).await?;
        let before = self.server.resident_mib().context("the service's memory cannot be read")?;
        let mut sockets = Vec::with_capacity(IDLE);
        for _ in 0..IDLE {
            sockets.push(Reader::follow(&self.server.address, &self.token, &project).await?);
        }
        let after = self.server.resident_mib().context("the service's memory cannot be read")?;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let each = (after - before) * 1024.0 / IDLE as f64;
        line(&format!("{IDLE} idle subscribed sockets: {each:.1} KiB each"));
        drop(sockets);
        Ok(json!({"kib_each": each}))
    }
}

fn micros(duration: Duration) -> anyhow::Result<u32> {
    Ok(u32::try_from(duration.as_micros())?)
}
