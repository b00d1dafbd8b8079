//! `./dev bench hot`: the worst shapes. Sixty-four clients that all change one project, beside the same sixty-four on a project
//! each; the same one project through two instances; and one append of 10,000 events to one feed, beside 10,000 feeds.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use workroom::{
    database,
    event_store::{AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend},
};
use workroom_dev::{child::workroom_bin, services::Services};

use crate::{
    Options,
    commands::{change, found_project, sign_in},
    http_client::Connection,
    report::{line, progress},
    samples::{Figures, median},
    server::{Server, services},
};

const CLIENTS: usize = 64;
/// Events in one append.
const EVENTS: usize = 10_000;

/// Where the clients go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Apart,
    OneProject,
    OneProjectTwoInstances,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Apart, Self::OneProject, Self::OneProjectTwoInstances];

    fn name(self) -> &'static str {
        match self {
            Self::Apart => "64 clients, 64 projects",
            Self::OneProject => "64 clients, one project",
            Self::OneProjectTwoInstances => "the same, two instances",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::OneProject => "one_project",
            Self::OneProjectTwoInstances => "two_instances",
        }
    }
}

struct Stage {
    services: Services,
    here: Server,
    there: Server,
    token: String,
    projects: Vec<String>,
}

/// Runs the benchmark.
///
/// # Errors
/// Something it needs is missing or fails; a command is refused, or out of order.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::prepare().await?;
    let mut json = Map::new();
    if options.wants("projects") {
        json.insert("projects".to_owned(), stage.projects(options).await?);
    }
    if options.wants("feeds") {
        json.insert("feeds".to_owned(), stage.feeds(options).await?);
    }
    stage.here.stop().await;
    stage.there.stop().await;
    stage.services.stop().await;
    options.write(json)
}

impl Stage {
    async fn prepare() -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let services = services().await?;
        let here = Server::start(&binary, services.owner_url(), services.nats_url()).await?;
        let there = Server::start(&binary, services.owner_url(), services.nats_url()).await?;
        let mut connection = Connection::open(&here.address).await?;
        let token = sign_in(&mut connection).await?;
        let mut projects = Vec::with_capacity(CLIENTS + 1);
        for _ in 0..=CLIENTS {
            projects.push(found_project(&mut connection).await?);
        }
        Ok(Self { services, here, there, token, projects })
    }

    async fn projects(&self, options: &Options) -> anyhow::Result<Value> {
        let mut measured: Vec<(Shape, Vec<Figures>)> = Shape::ALL.iter().map(|shape| (*shape, Vec::new())).collect();
        for round in 1..=options.rounds.max(1) {
            for (shape, figures) in &mut measured {
                progress(&format!("round {round}: {}", shape.name()));
                figures.push(self.measure(*shape, options.duration()).await?);
            }
        }
        line(&format!("{:<28}{:>12}{:>10}{:>10}{:>10}", "", "per second", "p50 ms", "p99 ms", "ratio"));
        let mut json = Map::new();
        let apart = &measured[0].1;
        for (shape, rounds) in &measured {
            let ratio = median(rounds.iter().zip(apart).map(|(own, apart)| own.per_second / apart.per_second));
            let figures = Figures::median(rounds);
            line(&format!(
                "{:<28}{:>12.0}{:>10.2}{:>10.2}{:>10.2}",
                shape.name(),
                figures.per_second,
                figures.p50_us / 1000.0,
                figures.p99_us / 1000.0,
                ratio
            ));
            let mut value = figures.json();
            value["ratio"] = json!(ratio);
            json.insert(shape.key().to_owned(), value);
        }
        Ok(Value::Object(json))
    }

    async fn measure(&self, shape: Shape, duration: Duration) -> anyhow::Result<Figures> {
        let one = &self.projects[CLIENTS];
        let before = self.version(one).await?;
        let end = Instant::now() + duration;
        let begun = Instant::now();
        let clients = (0..CLIENTS).map(|client| {
            let server =
                if shape == Shape::OneProjectTwoInstances && client % 2 == 1 { &self.there } else { &self.here };
            let project = if shape == Shape::Apart { &self.projects[client] } else { one };
            let (address, token, path) =
                (server.address.clone(), self.token.clone(), format!("/api/v1/projects/{project}"));
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await?;
                connection.sign_in(&token);
                let seed = usize::try_from(Uuid::now_v7().as_u128() % 1_000_000_007)?;
                let (mut latencies, mut version) = (Vec::new(), 0);
                for count in 0.. {
                    let body = Bytes::from(change(seed + count).to_string());
                    let sent = Instant::now();
                    if sent >= end {
                        break;
                    }
                    // Any other answer than 200 ends the benchmark: nobody is told of a conflict.
                    let reply: Value = serde_json::from_slice(&connection.send(Method::PATCH, &path, body).await?)?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros())?);
                    let next = reply["version"].as_i64().context("no version")?;
                    ensure!(next > version, "version {next} was answered after {version}");
                    version = next;
                }
                anyhow::Ok(latencies)
            })
        });
        let latencies: Vec<Vec<u32>> =
            try_join_all(clients).await?.into_iter().collect::<anyhow::Result<_>>().context("a command failed")?;
        let latencies = latencies.concat();
        let took = begun.elapsed();
        if shape != Shape::Apart {
            let changed = self.version(one).await? - before;
            ensure!(changed == i64::try_from(latencies.len())?, "{changed} changes for {} replies", latencies.len());
        }
        Ok(Figures::of(latencies, took))
    }

    async fn version(&self, project: &str) -> anyhow::Result<i64> {
        let mut connection = Connection::open(&self.here.address).await?;
        connection.sign_in(&self.token);
        let path = format!("/api/v1/projects/{project}");
        let project: Value = serde_json::from_slice(&connection.send(Method::GET, &path, Bytes::new()).await?)?;
        project["version"].as_i64().context("no version")
    }

    async fn feeds(&self, options: &Options) -> anyhow::Result<Value> {
        let pool = database::pool(database::options(self.services.owner_url())?, 2);
        let limits = AppendLimits { request_events: EVENTS, ..AppendLimits::default() };
        let log = EventLog::open(pool, limits).await?;
        let (mut one, mut many) = (Vec::new(), Vec::new());
        for round in 1..=options.rounds.max(1) {
            progress(&format!("round {round}: {EVENTS} events in one append"));
            one.push(append(&log, 1).await?);
            many.push(append(&log, EVENTS).await?);
        }
        let ratio = median(one.iter().zip(&many).map(|(one, many)| one / many));
        let (one, many) = (median(one.into_iter()), median(many.into_iter()));
        line(&format!("{EVENTS} events on one feed: {one:.3} s; on {EVENTS} feeds: {many:.3} s; ratio {ratio:.2}"));
        Ok(json!({"one_feed_s": one, "many_feeds_s": many, "ratio": ratio}))
    }
}

/// Appends all events at once, spread over so many feeds; in seconds.
async fn append(log: &EventLog, feeds: usize) -> anyhow::Result<f64> {
    let feeds: Vec<Uuid> = (0..feeds).map(|_| Uuid::now_v7()).collect();
    let streams = (0..EVENTS).map(|number| StreamAppend {
        expected: Expected { aggregate_type: "bench", aggregate_id: Uuid::now_v7(), sequence: 0 },
        feed_id: feeds[number % feeds.len()],
        events: vec![NewEvent {
            event_id: Uuid::now_v7(),
            event_type: "Measured".to_owned(),
            event_version: "1".to_owned(),
            payload: "{}".to_owned(),
            metadata: "{}".to_owned(),
        }],
    });
    let request = AppendRequest { streams: streams.collect(), ..AppendRequest::default() };
    let begun = Instant::now();
    log.append(request).await?;
    Ok(begun.elapsed().as_secs_f64())
}
