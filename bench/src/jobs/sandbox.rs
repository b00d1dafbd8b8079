//! What the sandbox adds to a program, and what a trivial one costs in all.
//!
//! How long a program ran is the time between `JobStarted` and `JobSucceeded` in the log, less what that is for a job
//! that does nothing. What the sandbox adds is that, less what the same program takes when this process starts it by
//! itself.

use std::{collections::HashMap, process::Stdio, time::Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use super::{
    PATIENCE, bash, noop,
    stage::{SELDOM, Stage},
};
use crate::{
    Options,
    commands::found_project,
    http_client::Connection,
    live::reader::Reader,
    report::{bar, line, progress},
    samples::{Figures, median},
};

/// Programs in each round.
const RUNS: usize = 200;
/// What the sandbox may add: half of the times, and all but a hundredth, in milliseconds.
const BARS: [f64; 2] = [6.0, 12.0];
/// Processor time of a job, in milliseconds.
const PROCESSOR_BAR: f64 = 8.0;

/// Somebody who submits jobs one after the other, and watches each to its end.
struct Client<'a> {
    stage: &'a Stage,
    connection: Connection,
    reader: Reader,
    project: String,
}

/// What one round gave.
struct Round {
    program: Figures,
    noop: Figures,
    bare: Figures,
    processor_ms: f64,
}

impl Round {
    /// What the sandbox adds to half of the programs, and to all but a hundredth: both beside the medians of the
    /// others.
    fn added(&self) -> [f64; 2] {
        let others = self.noop.p50_us + self.bare.p50_us;
        [self.program.p50_us, self.program.p99_us].map(|program| (program - others) / 1000.0)
    }
}

/// Measures.
///
/// # Errors
/// A job fails, or is lost.
pub async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let mut rounds = Vec::new();
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {RUNS} programs in the sandbox, and as many without"));
        rounds.push(round(stage).await?);
    }
    let of = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    let added = [of(|round| round.added()[0]), of(|round| round.added()[1])];
    let [program, noop, bare] =
        [of(|round| round.program.p50_us), of(|round| round.noop.p50_us), of(|round| round.bare.p50_us)]
            .map(|micros| micros / 1000.0);
    let processor = of(|round| round.processor_ms);
    let told = format!(
        "the sandbox adds to bash `true`, p50 / p99: {:.2} / {:.2} ms (bars {} / {}); {:.1} times a bare run",
        added[0],
        added[1],
        BARS[0],
        BARS[1],
        (program - noop) / bare
    );
    bar(added[0] <= BARS[0] && added[1] <= BARS[1], &told);
    line(&format!("    from start to end {program:.2} ms, for a no-op {noop:.2} ms; a bare run {bare:.2} ms"));
    let told = format!("    processor time of such a job in all: {processor:.2} ms (bar {PROCESSOR_BAR})");
    bar(processor <= PROCESSOR_BAR, &told);
    Ok(json!({
        "added_p50_ms": added[0],
        "added_p99_ms": added[1],
        "program_p50_ms": program,
        "noop_p50_ms": noop,
        "bare_p50_ms": bare,
        "processor_ms": processor,
    }))
}

async fn round(stage: &Stage) -> anyhow::Result<Round> {
    let mut connection = stage.connect().await?;
    let project = found_project(&mut connection).await?;
    let reader = Reader::follow(&stage.server.address, stage.token(), &project).await?;
    let mut client = Client { stage, connection, reader, project };
    let (begun, head) = (Instant::now(), stage.log.head().await?);
    let (mut programs, mut noops, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        // In turn: whatever else the machine does then, it does to all three.
        programs.push(client.run(bash("true")).await?);
        noops.push(client.run(noop()).await?);
        bare.push(alone().await?);
    }
    let took = begun.elapsed();
    let mut ran = HashMap::new();
    for life in stage.log.lives(head).await? {
        ran.insert(life.job_id.clone(), life.ran()?);
    }
    let figures = |jobs: &[String]| {
        let ran = jobs.iter().map(|job_id| ran.get(job_id).copied().context("a job is not in the log"));
        anyhow::Ok(Figures::of(ran.collect::<anyhow::Result<_>>()?, took))
    };
    let (program, noop) = (figures(&programs)?, figures(&noops)?);
    let processor_ms = processor_ms(&mut client).await?;
    Ok(Round { program, noop, bare: Figures::of(bare, took), processor_ms })
}

/// Processor time of the service and all that it starts, for each of many programs, one after the other.
async fn processor_ms(client: &mut Client<'_>) -> anyhow::Result<f64> {
    let before = client.stage.processor_time()?;
    for _ in 0..RUNS {
        client.run(bash("true")).await?;
    }
    client.stage.settle(SELDOM).await?;
    let used = client.stage.processor_time()?.saturating_sub(before);
    Ok(used.as_secs_f64() * 1000.0 / f64::from(u32::try_from(RUNS)?))
}

/// Runs the program without anything around it; returns how long it took, in microseconds.
async fn alone() -> anyhow::Result<u32> {
    let begun = Instant::now();
    let mut command = Command::new("bash");
    command.args(["-c", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.kill_on_drop(true).status().await.context("bash cannot be run")?;
    let took = begun.elapsed();
    ensure!(status.success(), "bash failed");
    Ok(u32::try_from(took.as_micros())?)
}

impl Client<'_> {
    /// Submits a job, waits until it has succeeded, and returns its id.
    async fn run(&mut self, mut job: Value) -> anyhow::Result<String> {
        job["project_id"] = json!(self.project);
        let job_id = self.stage.submit_one(&mut self.connection, &job).await?;
        let reader = &mut self.reader;
        let ended = async {
            loop {
                let frame = reader.next().await?;
                if frame["aggregate_id"].as_str() == Some(job_id.as_str()) {
                    match frame["event_type"].as_str() {
                        Some("JobSucceeded") => return anyhow::Ok(()),
                        Some("JobAttemptFailed" | "JobDeadLettered" | "JobCancelled") => bail!("a job failed: {frame}"),
                        _ => {}
                    }
                }
            }
        };
        timeout(PATIENCE, ended).await.context("a job does not end")??;
        Ok(job_id)
    }
}
