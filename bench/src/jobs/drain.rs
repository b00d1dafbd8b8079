//! How fast jobs are done that wait already, and how many messages that takes: they are submitted for a moment ahead,
//! and counted from the first start to the last end in the log.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hyper::body::Bytes;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use workroom::clock::now;

use super::{
    bash,
    beside::Beside,
    noop,
    peer::Peers,
    stage::{OFTEN, SELDOM, Stage},
};
use crate::{
    Options,
    report::{bar, line, progress},
    samples::median,
};

const NOOPS: usize = 20_000;
const PROGRAMS: usize = 2000;
/// Jobs a second.
const NOOP_BAR: f64 = 2500.0;
const PROGRAM_BAR: f64 = 150.0;
const MESSAGES_BAR: f64 = 1.02;
/// Jobs that are submitted to see how long submitting takes.
const PROBE: usize = 1000;
/// What is added to that, so that all are there before the first is due.
const SPARE: Duration = Duration::from_secs(3);

/// What one round gave.
struct Round {
    per_second: f64,
    messages_per_attempt: f64,
    /// Processor time of the service and its programs, for each job, without submitting it.
    processor_ms: f64,
}

/// Measures no-ops, beside peers.
///
/// # Errors
/// A job is refused, or lost.
pub async fn noops(stage: &Stage, peers: &mut Peers, options: &Options) -> anyhow::Result<Value> {
    let (mut rates, mut rounds) = (Beside::new(peers), Vec::new());
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {NOOPS} no-ops that wait"));
        let one = round(stage, noop(), NOOPS).await?;
        rates.keep(one.per_second);
        rounds.push(one);
        rates.keep_theirs(peers.drain().await?);
    }
    let json = rates.show(&format!("{NOOPS} no-ops that wait"), NOOP_BAR);
    Ok(details(json, &rounds))
}

/// Measures programs that do nothing, by default settings.
///
/// # Errors
/// A job is refused, or lost.
pub async fn programs(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let mut rounds = Vec::new();
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {PROGRAMS} programs that wait"));
        rounds.push(round(stage, bash("true"), PROGRAMS).await?);
    }
    let rate = median(rounds.iter().map(|round| round.per_second));
    let told = format!("{PROGRAMS} times bash `true`: {rate:.0} jobs a second (bar {PROGRAM_BAR:.0})");
    bar(rate >= PROGRAM_BAR, &told);
    Ok(details(json!({"per_second": rate}), &rounds))
}

/// Prints what else was measured, and adds it.
fn details(mut json: Value, rounds: &[Round]) -> Value {
    let messages = median(rounds.iter().map(|round| round.messages_per_attempt));
    let processor = median(rounds.iter().map(|round| round.processor_ms));
    bar(messages <= MESSAGES_BAR, &format!("    {messages:.3} messages an attempt (bar {MESSAGES_BAR})"));
    line(&format!("    {processor:.2} ms of processor time a job, without submitting it"));
    json["messages_per_attempt"] = json!(messages);
    json["processor_ms"] = json!(processor);
    json
}

async fn round(stage: &Stage, mut job: Value, count: usize) -> anyhow::Result<Round> {
    let lead = lead(stage, count).await?;
    let due_at = now() + lead;
    job["run_at"] = json!(due_at.format(&Rfc3339)?);
    let body = Bytes::from(job.to_string());
    let (head, published) = (stage.log.head().await?, stage.messages().await?);
    stage.submit(count, None, |_| Ok(body.clone())).await?;
    ensure!(now() < due_at, "submitting {count} jobs took longer than expected");
    let used = stage.processor_time()?;
    stage.settle(SELDOM).await?;
    let used = stage.processor_time()?.saturating_sub(used);
    let published = stage.messages().await?.saturating_sub(published);
    let lives = stage.log.lives(head).await?;
    ensure!(lives.len() == count, "{} jobs are in the log, of {count}", lives.len());
    let first = lives.iter().map(|life| life.started).min().context("no job was started")?;
    let ends: Option<Vec<i64>> = lives.iter().map(|life| life.succeeded).collect();
    let last = ends.context("a job did not succeed")?.into_iter().max().context("no job has ended")?;
    let took = Duration::from_micros(u64::try_from(last - first)?);
    let attempts: i64 = lives.iter().map(|life| life.starts).sum();
    let jobs = f64::from(u32::try_from(count)?);
    Ok(Round {
        per_second: jobs / took.as_secs_f64(),
        messages_per_attempt: f64::from(u32::try_from(published)?) / f64::from(u32::try_from(attempts)?),
        processor_ms: used.as_secs_f64() * 1000.0 / jobs,
    })
}

/// How far ahead the jobs are to be due: half as long again as others take that are submitted while they are done.
async fn lead(stage: &Stage, count: usize) -> anyhow::Result<Duration> {
    let body = Bytes::from(noop().to_string());
    let begun = Instant::now();
    stage.submit(PROBE, None, |_| Ok(body.clone())).await?;
    let took = begun.elapsed();
    stage.settle(OFTEN).await?;
    Ok(took * u32::try_from(count)? / u32::try_from(PROBE)? * 3 / 2 + SPARE)
}
