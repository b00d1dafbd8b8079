//! How soon jobs run again on another worker when theirs is killed.

use std::time::Duration;

use serde_json::{Value, json};
use workroom::clock::now;

use super::{
    bash,
    log::Life,
    stage::{OFTEN, SELDOM, Stage},
};
use crate::{
    report::{bar, progress},
    samples::median,
};

const ROUNDS: usize = 10;
/// Jobs that run, and as many as a worker runs at a time.
const JOBS: usize = 4;
/// The longest, in seconds.
const BAR: f64 = 4.0;

/// Measures, beside a service that runs no programs itself.
///
/// # Errors
/// A job is refused, or lost.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    progress(&format!("a worker is killed, {ROUNDS} times"));
    let mut took = Vec::with_capacity(ROUNDS);
    let mut worker = stage.worker(JOBS).await?;
    for _ in 0..ROUNDS {
        // The one before is known to be gone, and this one to be there.
        stage.eventually("one worker", SELDOM, async || anyhow::Ok(stage.log.workers().await? == 1)).await?;
        let head = stage.log.head().await?;
        let jobs = submit(stage).await?;
        let run = async || anyhow::Ok(stage.log.starts(head).await? >= i64::try_from(JOBS)?);
        stage.eventually("the start of the jobs", SELDOM, run).await?;
        let other = stage.worker(JOBS).await?;
        stage.eventually("another worker", SELDOM, async || anyhow::Ok(stage.log.workers().await? == 2)).await?;
        let killed = i64::try_from(now().unix_timestamp_nanos() / 1000)?;
        std::mem::replace(&mut worker, other).stop().await;
        let run_again = async || anyhow::Ok(stage.log.lives(head).await?.iter().all(|life| life.restarted > killed));
        stage.eventually("another start of the jobs", OFTEN, run_again).await?;
        let lives = stage.log.lives(head).await?;
        let last = lives.iter().map(|life| life.restarted).max().unwrap_or(killed);
        took.push(Duration::from_micros(Life::between(killed, last)?.into()).as_secs_f64());
        let mut connection = stage.connect().await?;
        for job_id in &jobs {
            stage.cancel(&mut connection, job_id).await?;
        }
        stage.settle(SELDOM).await?;
    }
    worker.stop().await;
    let (half, most) = (median(took.iter().copied()), took.into_iter().fold(0.0, f64::max));
    let told = format!(
        "{JOBS} jobs of a killed worker run again within {most:.2} s at most (bar {BAR}), {half:.2} s at the median"
    );
    bar(most <= BAR, &told);
    Ok(json!({"most_s": most, "median_s": half}))
}

/// Submits jobs that run for as long as they may; returns their ids.
async fn submit(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let mut job = bash("sleep 250");
    job["timeout_seconds"] = json!(300);
    let mut connection = stage.connect().await?;
    let mut jobs = Vec::with_capacity(JOBS);
    for _ in 0..JOBS {
        jobs.push(stage.submit_one(&mut connection, &job).await?);
    }
    Ok(jobs)
}
