//! How long a job waits until it starts where nothing else waits: by the log's times, and until a subscriber sees it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval, timeout},
};
use workroom::clock::now;

use super::{
    PATIENCE, bash,
    beside::{Beside, milliseconds},
    log::Life,
    noop,
    peer::Peers,
    stage::Stage,
};
use crate::{
    Options,
    commands::found_project,
    live::reader::Reader,
    report::{bar, line, progress},
    samples::Figures,
};

/// Jobs a second.
const RATE: u32 = 20;
/// So many times as long as other figures: a hundredth of the jobs should be several.
const LONGER: u32 = 4;
/// Connections that submit in turn, so that one need not wait for the one before.
const LANES: usize = 8;
/// Half of the jobs, and all but a hundredth, in milliseconds.
const BARS: [f64; 2] = [2.5, 10.0];

/// What one round gave.
struct Round {
    /// From `JobRequested` to `JobStarted`, by the log's times.
    recorded: Figures,
    /// From sending the request to `JobStarted`'s time in the log.
    started: Figures,
    /// From sending the request until a subscriber sees `JobStarted`.
    seen: Figures,
}

/// A job that was submitted.
struct Sent {
    job_id: String,
    at: Instant,
    /// The same in microseconds since 1970.
    wall: i64,
}

/// Measures no-ops, beside peers.
///
/// # Errors
/// A job is refused, or lost.
pub async fn noops(stage: &Stage, peers: &mut Peers, options: &Options) -> anyhow::Result<Value> {
    let (mut beside, mut rounds) = (Beside::new(peers), Vec::new());
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {RATE} no-ops a second"));
        let one = round(stage, noop(), options).await?;
        beside.keep(one.seen);
        rounds.push(one);
        beside.keep_theirs(peers.paced(RATE, count(options)?).await?);
    }
    let mut json = show("no-op", &rounds);
    for (key, value) in beside.show() {
        json[key] = value;
    }
    Ok(json)
}

/// Measures programs that do nothing.
///
/// # Errors
/// A job is refused, or lost.
pub async fn programs(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let mut rounds = Vec::new();
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {RATE} programs a second"));
        rounds.push(round(stage, bash("true"), options).await?);
    }
    Ok(show("bash `true`", &rounds))
}

fn count(options: &Options) -> anyhow::Result<usize> {
    Ok(usize::try_from(options.duration().as_secs() * u64::from(RATE * LONGER))?)
}

fn show(what: &str, rounds: &[Round]) -> Value {
    let median = |of: fn(&Round) -> Figures| Figures::median(&rounds.iter().map(of).collect::<Vec<_>>());
    let (recorded, started) = (median(|round| round.recorded), median(|round| round.started));
    let seen = median(|round| round.seen);
    let [half, most] = BARS;
    let told = format!(
        "{what} at {RATE}/s, p50 / p99: requested to started {} (bars {half} / {most})",
        milliseconds(recorded)
    );
    bar(recorded.p50_us / 1000.0 <= half && recorded.p99_us / 1000.0 <= most, &told);
    line(&format!(
        "    from sending the request: to started {}; until a subscriber sees it {}",
        milliseconds(started),
        milliseconds(seen)
    ));
    json!({"requested_to_started": recorded.json(), "sent_to_started": started.json(), "sent_to_seen": seen.json()})
}

async fn round(stage: &Stage, mut job: Value, options: &Options) -> anyhow::Result<Round> {
    let project = found_project(&mut stage.connect().await?).await?;
    job["project_id"] = json!(project);
    let reader = Reader::follow(&stage.server.address, stage.token(), &project).await?;
    let (head, count) = (stage.log.head().await?, count(options)?);
    let watching = tokio::spawn(watch(reader, count));
    let begun = Instant::now();
    let sent = submit(stage, &job, count).await?;
    let took = begun.elapsed();
    let seen = timeout(PATIENCE, watching).await.context("a start is not seen")???;
    let lives = stage.log.lives(head).await?;
    ensure!(lives.len() == count, "{} jobs are in the log, of {count}", lives.len());
    let lives: HashMap<&str, &Life> = lives.iter().map(|life| (life.job_id.as_str(), life)).collect();
    let (mut from_request, mut from_sending, mut until_seen) = (Vec::new(), Vec::new(), Vec::new());
    for one in &sent {
        let life = lives.get(one.job_id.as_str()).context("a job is not in the log")?;
        let seen = seen.get(&one.job_id).context("the start of a job was not seen")?;
        from_request.push(Life::between(life.requested, life.started)?);
        from_sending.push(Life::between(one.wall, life.started)?);
        until_seen.push(u32::try_from(seen.duration_since(one.at).as_micros())?);
    }
    Ok(Round {
        recorded: Figures::of(from_request, took),
        started: Figures::of(from_sending, took),
        seen: Figures::of(until_seen, took),
    })
}

/// Reads until so many jobs have started; returns when each was seen to.
async fn watch(mut reader: Reader, count: usize) -> anyhow::Result<HashMap<String, Instant>> {
    let mut seen = HashMap::with_capacity(count);
    while seen.len() < count {
        let frame = reader.next().await?;
        let at = Instant::now();
        if frame["event_type"] == "JobStarted" {
            let job_id = frame["aggregate_id"].as_str().context("an event of no job")?;
            seen.entry(job_id.to_owned()).or_insert(at);
        }
    }
    Ok(seen)
}

/// Submits at a fixed rate, whatever the replies take.
async fn submit(stage: &Stage, job: &Value, count: usize) -> anyhow::Result<Vec<Sent>> {
    let body = Bytes::from(job.to_string());
    let mut lanes = Vec::with_capacity(LANES);
    for _ in 0..LANES {
        lanes.push(Arc::new(Mutex::new(stage.connect().await?)));
    }
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sending = Vec::with_capacity(count);
    for number in 0..count {
        ticks.tick().await;
        let (lane, body) = (Arc::clone(&lanes[number % LANES]), body.clone());
        sending.push(tokio::spawn(async move {
            let (at, wall) = (Instant::now(), i64::try_from(now().unix_timestamp_nanos() / 1000)?);
            let reply = lane.lock().await.send(Method::POST, "/api/v1/jobs", body).await?;
            let reply: Value = serde_json::from_slice(&reply)?;
            anyhow::Ok(Sent { job_id: reply["id"].as_str().context("no id")?.to_owned(), at, wall })
        }));
    }
    let mut sent = Vec::with_capacity(count);
    for one in sending {
        sent.push(one.await??);
    }
    stage.note(count);
    Ok(sent)
}
