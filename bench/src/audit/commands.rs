//! What is measured of the command line: export, verification, rebuild.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::{
    Stage,
    copy::Psql,
    head, mib, peak,
    process::{self, Run},
    rate, seconds,
};
use crate::{
    Options,
    report::{bar, line, progress},
    samples::median,
};

/// An export may take twice as long as psql's copy.
const EXPORT_BAR: f64 = 0.5;
/// Seconds in which the whole export is verified on one core.
const VERIFY_BAR: f64 = 10.0;
/// Events a second, replayed into fresh views.
const REPLAY_BAR: i64 = 50_000;
/// The groups of views, which are made again one after the other.
const GROUPS: [&str; 2] = ["workspace", "jobs"];

/// Exports the whole log beside psql's copy, and verifies what came of it.
///
/// # Errors
/// A command fails; the export above all when it cannot be verified.
pub async fn export_and_verify(stage: &Stage, options: &Options) -> anyhow::Result<Map<String, Value>> {
    let (export, copy) = (stage.folder.join("all.ndjson"), stage.folder.join("all.copy"));
    let mut json = Map::new();
    let rounds = options.rounds.max(1);
    let mut exports = Vec::new();
    if options.wants("export") {
        let psql = Psql::find().await?;
        let mut copies = Vec::new();
        for round in 1..=rounds {
            progress(&format!("round {round}: export of all, psql's copy of all"));
            exports.push(export_all(stage, &export).await?);
            copies.push(psql.copy(stage.services.owner_url(), &copy).await?);
        }
        let ratio =
            median(copies.iter().zip(&exports).map(|(copy, own)| copy.took.as_secs_f64() / own.took.as_secs_f64()));
        let bytes = [&export, &copy].map(|file| std::fs::metadata(file).map_or(0, |file| file.len()));
        let events = head(&stage.pool).await?;
        let told = format!(
            "export of {events} events: {:.1} s, {} bytes; psql COPY: {:.1} s, {} bytes; ratio {ratio:.2} \
             (bar {EXPORT_BAR}); at most {} MiB",
            seconds(&exports),
            bytes[0],
            seconds(&copies),
            bytes[1],
            mib(peak(&exports))
        );
        bar(ratio >= EXPORT_BAR, &told);
        json.insert(
            "export".to_owned(),
            json!({"seconds": seconds(&exports), "copy_seconds": seconds(&copies), "ratio": ratio,
                "bytes": bytes[0], "copy_bytes": bytes[1], "peak_mib": peak(&exports)}),
        );
    } else {
        export_all(stage, &export).await?;
    }
    if options.wants("verify") {
        json.insert("verify".to_owned(), verify(stage, &export, rounds).await?);
    }
    Ok(json)
}

async fn export_all(stage: &Stage, file: &Path) -> anyhow::Result<Run> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut command = workroom(stage);
    // No service runs that could take a note of it into the tree.
    command.args(["audit", "export", "--all", "--unnoted", "--output"]).arg(file);
    process::run(&mut command).await
}

/// Verifies the file, on one core and with nothing of the service.
async fn verify(stage: &Stage, file: &Path, rounds: usize) -> anyhow::Result<Value> {
    let (mut runs, mut is_on_one_core) = (Vec::new(), true);
    for round in 1..=rounds {
        progress(&format!("round {round}: the export is verified"));
        let (mut command, is_kept) = process::on_one_core(&stage.binary).await;
        command.args(["audit", "verify"]).arg(file).stdout(Stdio::null());
        is_on_one_core &= is_kept;
        runs.push(process::run(&mut command).await?);
    }
    let took = seconds(&runs);
    let told = format!(
        "verification of the export {}: {took:.1} s (bar {VERIFY_BAR:.0}); at most {} MiB",
        if is_on_one_core { "on one core" } else { "(on all cores: taskset is missing)" },
        mib(peak(&runs))
    );
    bar(took <= VERIFY_BAR, &told);
    Ok(json!({"seconds": took, "on_one_core": is_on_one_core, "peak_mib": peak(&runs)}))
}

/// Replays the whole log into fresh views, group by group, each with the comparison and the exchange.
///
/// # Errors
/// A rebuild fails.
pub async fn replay(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let events = head(&stage.pool).await?;
    let mut rounds: Vec<[Run; GROUPS.len()]> = Vec::new();
    for round in 1..=options.rounds.max(1) {
        progress(&format!("round {round}: {events} events are replayed into fresh views"));
        let [workspace, jobs] = GROUPS;
        rounds.push([rebuild(stage, workspace).await?, rebuild(stage, jobs).await?]);
    }
    let mut json = json!({});
    let mut all = Vec::new();
    for runs in rounds {
        let took: Duration = runs.iter().map(|run| run.took).sum();
        let peak_mib = peak(&runs);
        for (group, run) in GROUPS.iter().zip(runs) {
            json[*group] = json!({"seconds": run.took.as_secs_f64(), "events_per_second": rate(events, run.took)});
        }
        all.push(Run { took, peak_mib });
    }
    all.sort_by_key(|run| run.took);
    let middle = all.get(all.len() / 2).map_or(0, |run| rate(events, run.took));
    let told = format!(
        "replay of the whole log into fresh views, compared and exchanged: {middle} events/s, {:.1} s for all groups \
         (bar {REPLAY_BAR} events/s); at most {} MiB",
        seconds(&all),
        mib(peak(&all))
    );
    bar(middle >= REPLAY_BAR, &told);
    for group in GROUPS {
        line(&format!("    {group}: {} events/s in the last round", json[group]["events_per_second"]));
    }
    json["seconds"] = json!(seconds(&all));
    json["events_per_second"] = json!(middle);
    json["peak_mib"] = json!(peak(&all));
    Ok(json)
}

async fn rebuild(stage: &Stage, group: &str) -> anyhow::Result<Run> {
    let mut command = workroom(stage);
    command.args(["projections", "rebuild", "--group", group]).stdout(Stdio::null());
    process::run(&mut command).await
}

/// A command of the service, over the benchmark's database.
fn workroom(stage: &Stage) -> Command {
    let mut command = Command::new(&stage.binary);
    command
        .env("DATABASE_URL", stage.services.owner_url())
        .env("NATS_URL", stage.services.nats_url())
        .env("RUST_LOG", "error");
    command
}
