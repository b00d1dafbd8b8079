//! Two hundred sockets that were away come back for 20,000 events each, while somebody works.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{
    PATIENCE, Stage, float, micros,
    reader::Reader,
    writers::{write, write_at},
};
use crate::{
    commands::found_project,
    report::{bar, progress},
    samples::Figures,
};

const SOCKETS: usize = 200;
const EVENTS: usize = 20_000;
/// Commands a second of those who work meanwhile, in another project.
const RATE: u64 = 50;
/// How long they work.
const MEANWHILE: Duration = Duration::from_secs(4);
/// Seconds until the last one is current, MiB of memory for each, and how many times as long commands may take.
const SECONDS_BAR: f64 = 8.0;
const MEMORY_BAR: f64 = 1.0;
const RATIO_BAR: f64 = 2.0;

/// Measures.
///
/// # Errors
/// Something fails; an event is lost, or out of order.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    let project = found_project(&mut stage.connect().await?).await?;
    let first = Reader::follow(&stage.server.address, &stage.token, &project).await?;
    let (epoch, start) = (first.epoch().to_owned(), first.head());
    drop(first);
    progress(&format!("resume: {EVENTS} events are written"));
    write(stage, &project, 64, EVENTS).await?;
    let work = found_project(&mut stage.connect().await?).await?;
    let before = stage.database.transactions().await?;
    let quiet = replies(stage, &work, MEANWHILE).await?;
    let commands = stage.database.transactions().await? - before;
    let memory = stage.resident_mib()?;
    progress(&format!("resume: {SOCKETS} sockets come back"));
    let begun = Instant::now();
    let last = start + i64::try_from(EVENTS)?;
    let resume = (0..SOCKETS).map(|_| {
        let (address, token) = (stage.server.address.clone(), stage.token.clone());
        let (project, epoch) = (project.clone(), epoch.clone());
        tokio::spawn(async move {
            let mut reader = Reader::resume(&address, &token, &project, &epoch, start).await?;
            reader.read_to(start, last).await
        })
    });
    let resuming: Vec<_> = resume.collect();
    let (busy, took, peak) = tokio::join!(
        replies(stage, &work, MEANWHILE),
        async {
            let ended = tokio::time::timeout(PATIENCE, try_join_all(resuming)).await.context("a socket waits")??;
            ended.into_iter().collect::<anyhow::Result<()>>()?;
            anyhow::Ok(begun.elapsed())
        },
        peak(stage, MEANWHILE),
    );
    let (busy, took, peak) = (busy?, took?, peak?);
    // As many as without them are those of the commands, and of what runs all the time.
    let transactions = stage.database.transactions().await? - before - 2 * commands;
    let (seconds, each) = (took.as_secs_f64(), (peak - memory) / float(SOCKETS));
    let ratio = busy.p99_us / quiet.p99_us;
    bar(
        seconds <= SECONDS_BAR && each <= MEMORY_BAR && ratio <= RATIO_BAR,
        &format!(
            "{SOCKETS} sockets resume {EVENTS} events each: {seconds:.2} s (bar {SECONDS_BAR}), {each:.2} MiB a socket at most \
             (bar {MEMORY_BAR}), {transactions} transactions; commands' p99 meanwhile {:.1} ms, {ratio:.1} x (bar {RATIO_BAR})",
            busy.p99_us / 1000.0
        ),
    );
    Ok(json!({
        "seconds": seconds, "mib_each": each, "transactions": transactions,
        "commands_quiet": quiet.json(), "commands_meanwhile": busy.json(),
    }))
}

async fn replies(stage: &Stage, project: &str, time: Duration) -> anyhow::Result<Figures> {
    let count = usize::try_from(RATE * time.as_secs())?;
    let begun = Instant::now();
    let done = write_at(stage, project, RATE, count).await?;
    let replies = done.iter().map(|one| micros(one.reply)).collect::<anyhow::Result<_>>()?;
    Ok(Figures::of(replies, begun.elapsed()))
}

/// The most memory that the service has for some time.
async fn peak(stage: &Stage, time: Duration) -> anyhow::Result<f64> {
    let (begun, mut peak) = (Instant::now(), 0.0_f64);
    while begun.elapsed() < time {
        peak = peak.max(stage.resident_mib()?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(peak)
}
