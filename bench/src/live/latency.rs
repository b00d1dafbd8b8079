//! How long an event takes to the last reader: from the commit, and from sending the command; beside the command's own reply, which
//! comes once the views show the change.

use std::time::Instant;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use serde_json::{Map, Value, json};
use workroom::clock::now;

use super::{PATIENCE, Stage, micros, reader::Reader, writers::write_at};
use crate::{
    Options,
    commands::found_project,
    report::{line, progress},
    samples::Figures,
};

/// Commands a second, and readers of the project.
const SHAPES: [(u64, usize); 3] = [(100, 1), (500, 1), (500, 100)];

/// What one round gave.
struct Round {
    reply: Figures,
    /// From sending the command to the last reader's frame.
    from_command: Figures,
    /// From the commit to the last reader's frame.
    from_commit: Figures,
}

/// Measures every shape.
///
/// # Errors
/// A command fails; an event is lost, or out of order.
pub async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    line(&format!("{:<28}{:>17}{:>17}{:>17}", "ms, p50 / p99", "reply", "command-frame", "commit-frame"));
    let mut json = Map::new();
    for (rate, readers) in SHAPES {
        let name = format!("{rate}/s to {readers} readers");
        let mut rounds = Vec::new();
        for number in 1..=options.rounds.max(1) {
            progress(&format!("round {number}: {name}"));
            rounds.push(round(stage, rate, readers, options).await?);
        }
        let median = |of: fn(&Round) -> Figures| Figures::median(&rounds.iter().map(of).collect::<Vec<_>>());
        let all = [median(|round| round.reply), median(|round| round.from_command), median(|round| round.from_commit)];
        let columns = all.map(|one| format!("{:>9.2} /{:>6.2}", one.p50_us / 1000.0, one.p99_us / 1000.0));
        line(&format!("{name:<28}{}", columns.concat()));
        let [reply, command, commit] = all.map(|one| one.json());
        json.insert(name, json!({"reply": reply, "command_to_frame": command, "commit_to_frame": commit}));
    }
    Ok(Value::Object(json))
}

async fn round(stage: &Stage, rate: u64, readers: usize, options: &Options) -> anyhow::Result<Round> {
    let project = found_project(&mut stage.connect().await?).await?;
    let readers = (0..readers).map(|_| Reader::follow(&stage.server.address, &stage.token, &project));
    let readers = try_join_all(readers).await?;
    let start = readers.first().map_or(0, Reader::head);
    let count = usize::try_from(rate * options.duration().as_secs())?;
    let reading: Vec<_> = readers.into_iter().map(|reader| tokio::spawn(reader.arrivals(count))).collect();
    let (begun, wall) = (Instant::now(), now().unix_timestamp_nanos() / 1000);
    let done = write_at(stage, &project, rate, count).await?;
    let took = begun.elapsed();
    let mut last = vec![begun; count];
    for arrivals in reading {
        let arrivals = tokio::time::timeout(PATIENCE, arrivals).await.context("a reader waits")???;
        for (number, (seq, at)) in arrivals.into_iter().enumerate() {
            ensure!(seq == start + 1 + i64::try_from(number)?, "{seq} came in the place of another");
            last[number] = last[number].max(at);
        }
    }
    let commits = stage.database.commits(&project, start).await?;
    let (mut replies, mut from_command, mut from_commit) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (one, at)) in done.iter().zip(&last).enumerate() {
        replies.push(micros(one.reply)?);
        from_command.push(micros(at.duration_since(one.sent))?);
        let commit = commits.get(&(start + 1 + i64::try_from(number)?)).context("an event without a commit")?;
        let arrival = i64::try_from(wall)? + i64::from(micros(at.duration_since(begun))?);
        from_commit.push(u32::try_from((arrival - commit).max(0))?);
    }
    Ok(Round {
        reply: Figures::of(replies, took),
        from_command: Figures::of(from_command, took),
        from_commit: Figures::of(from_commit, took),
    })
}
