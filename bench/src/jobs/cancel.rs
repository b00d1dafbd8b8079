//! How soon every process of a cancelled job is dead, from sending the request. Its processes are known by a number in
//! their command lines.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    bash,
    processes::{marked, wait_for_death},
    stage::{OFTEN, SELDOM, Stage},
};
use crate::{
    report::{bar, progress},
    samples::Figures,
};

const TIMES: usize = 50;
const TIMES_WITHOUT_NATS: usize = 10;
/// All but a hundredth, in milliseconds.
const BAR: f64 = 100.0;
/// The longest, in milliseconds.
const BAR_WITHOUT_NATS: f64 = 1500.0;
/// How long processes may live on at most.
const DEAD_WITHIN: Duration = Duration::from_mins(1);

/// What a program does until it is cancelled.
#[derive(Clone, Copy)]
enum Program {
    /// Waits.
    Sleep,
    /// Starts as many processes as it can, each of which does the same. The sandbox bounds it.
    ForkBomb,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Sleep => "a sleep",
            Self::ForkBomb => "a fork bomb",
        }
    }

    /// The code; all of its processes have the mark, which is a number, in their command lines.
    fn code(self, mark: &str) -> String {
        match self {
            Self::Sleep => format!("exec bash -c 'sleep 250.{mark} & wait' {mark}"),
            Self::ForkBomb => format!("exec bash -c 'f() {{ while :; do f & done; }}; f' {mark}"),
        }
    }

    /// Processes that there are at least when it is at work.
    fn processes(self) -> usize {
        match self {
            Self::Sleep => 2,
            Self::ForkBomb => 16,
        }
    }
}

/// Measures.
///
/// # Errors
/// A job is refused; a process lives on.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    let mut json = Map::new();
    for program in [Program::Sleep, Program::ForkBomb] {
        progress(&format!("cancelling {}, {TIMES} times", program.name()));
        let mut took = Vec::with_capacity(TIMES);
        let begun = Instant::now();
        for _ in 0..TIMES {
            took.push(cancel(stage, program, false).await?);
        }
        let figures = Figures::of(took, begun.elapsed());
        let [half, most] = [figures.p50_us, figures.p99_us].map(|micros| micros / 1000.0);
        let (name, times) = (program.name(), format!("{half:.1} / {most:.1} ms"));
        bar(most <= BAR, &format!("{name} is cancelled, p50 / p99: dead within {times} (bar {BAR:.0})"));
        json.insert(program.name().replace(' ', "_"), figures.json());
    }
    progress(&format!("cancelling without NATS, {TIMES_WITHOUT_NATS} times"));
    let mut took = Vec::with_capacity(TIMES_WITHOUT_NATS);
    for _ in 0..TIMES_WITHOUT_NATS {
        took.push(cancel(stage, Program::Sleep, true).await?);
    }
    let most = took.into_iter().max().map_or(f64::NAN, f64::from) / 1000.0;
    let told = format!("the same while NATS is stopped: {most:.0} ms at most (bar {BAR_WITHOUT_NATS:.0})");
    bar(most <= BAR_WITHOUT_NATS, &told);
    json.insert("without_nats".to_owned(), json!({"most_ms": most}));
    Ok(Value::Object(json))
}

/// Runs a program and cancels it; returns after how many microseconds its last process was dead.
async fn cancel(stage: &Stage, program: Program, without_nats: bool) -> anyhow::Result<u32> {
    let mark = format!("{:012}", Uuid::now_v7().as_u128() % 1_000_000_000_000);
    let mut connection = stage.connect().await?;
    let mut job = bash(&program.code(&mark));
    job["timeout_seconds"] = json!(300);
    let job_id = stage.submit_one(&mut connection, &job).await?;
    let at_work = async || anyhow::Ok(marked(&mark) >= program.processes());
    stage.eventually("the program's processes", OFTEN, at_work).await?;
    let nats = stage.services.nats().context("the benchmark has a NATS of its own")?;
    // Opened before the clock runs; the first one may have been idle for too long.
    let mut connection = stage.connect().await?;
    if without_nats {
        nats.kill9().await;
    }
    let sent = Instant::now();
    let dying = {
        let mark = mark.clone();
        spawn_blocking(move || wait_for_death(&mark, DEAD_WITHIN))
    };
    stage.cancel(&mut connection, &job_id).await?;
    let dead = dying.await??;
    if without_nats {
        nats.restart().await?;
    }
    stage.settle(SELDOM).await?;
    ensure!(marked(&mark) == 0, "a process lives again that was dead");
    Ok(u32::try_from(dead.duration_since(sent).as_micros())?)
}
