//! How late jobs start that were to be done at a time.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hyper::body::Bytes;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use workroom::clock::now;

use super::{
    beside::milliseconds,
    log::Life,
    noop,
    stage::{SELDOM, Stage},
};
use crate::{
    Options,
    report::{bar, progress},
    samples::Figures,
};

const JOBS: usize = 300;
/// From one job's time to the next one's: three seconds in all.
const STEP: Duration = Duration::from_millis(10);
/// How long ahead the first is due; all are submitted by then.
const LEAD: Duration = Duration::from_secs(4);
/// All but a hundredth start within, in milliseconds.
const BAR: f64 = 100.0;

/// Measures.
///
/// # Errors
/// A job is refused, or lost, or starts too early.
pub async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let mut rounds = Vec::new();
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {JOBS} no-ops, each at its time"));
        rounds.push(round(stage).await?);
    }
    let late = Figures::median(&rounds);
    let told = format!("{JOBS} no-ops at their times, p50 / p99: {} late (bar {BAR:.0})", milliseconds(late));
    bar(late.p99_us / 1000.0 <= BAR, &told);
    Ok(late.json())
}

async fn round(stage: &Stage) -> anyhow::Result<Figures> {
    let first = now() + LEAD;
    let head = stage.log.head().await?;
    let submitted = stage.submit(JOBS, None, |number| {
        let mut job = noop();
        job["run_at"] = json!((first + STEP * u32::try_from(number)?).format(&Rfc3339)?);
        Ok(Bytes::from(job.to_string()))
    });
    submitted.await?;
    ensure!(now() < first, "submitting {JOBS} jobs takes too long");
    let begun = Instant::now();
    stage.settle(SELDOM).await?;
    let took = begun.elapsed();
    let lives = stage.log.lives(head).await?;
    ensure!(lives.len() == JOBS, "{} jobs are in the log, of {JOBS}", lives.len());
    let late = lives.iter().map(|life| {
        let due_at = life.run_at.context("a job without a time")?;
        ensure!(life.started >= due_at, "job {} has started {} us too early", life.job_id, due_at - life.started);
        Life::between(due_at, life.started)
    });
    Ok(Figures::of(late.collect::<anyhow::Result<_>>()?, took))
}
