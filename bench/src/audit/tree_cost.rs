//! What the tree over the log costs those who give commands: the same commands with it and without, by turns.

use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::{
    Stage, head,
    running::{CLIENTS, caught_up, change_until},
    start,
};
use crate::{
    Options,
    report::{bar, progress},
    samples::{Figures, median},
};

/// The share by which commands may become fewer.
const BAR: f64 = 0.05;
/// Who holds this lock makes the tree; see `projections/src/leader.rs`.
const LEAD: &str = "SELECT pg_advisory_lock(7770002, hashtext('log_tree'))";

/// Commands a second with the tree and without.
///
/// # Errors
/// A command fails, or the tree does not follow.
pub async fn cost(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds.max(1) {
        progress(&format!("round {round}: commands without the tree, and with it"));
        // By turns also in who comes first: the log grows, and the disk gets fuller.
        for with_tree in if round % 2 == 0 { [true, false] } else { [false, true] } {
            let figures = commands(stage, options, with_tree).await?;
            if with_tree { with.push(figures) } else { without.push(figures) }
        }
    }
    let drop = 1.0 - median(with.iter().zip(&without).map(|(with, without)| with.per_second / without.per_second));
    let (with, without) = (Figures::median(&with), Figures::median(&without));
    let told = format!(
        "commands over {CLIENTS} connections: {:.0}/s with the tree, {:.0}/s without: {:.1} % fewer (bar {:.0} %)",
        with.per_second,
        without.per_second,
        drop * 100.0,
        BAR * 100.0
    );
    bar(drop <= BAR, &told);
    Ok(json!({"with": with.json(), "without": without.json(), "drop": drop}))
}

async fn commands(stage: &Stage, options: &Options, with_tree: bool) -> anyhow::Result<Figures> {
    let mut holder = PgConnection::connect_with(&stage.pool.connect_options()).await?;
    if !with_tree {
        sqlx::query(LEAD).execute(&mut holder).await?;
    }
    let server = start(&stage.binary, &stage.services).await?;
    if with_tree {
        caught_up(&stage.pool, head(&stage.pool).await?).await?;
    }
    // The large one is left out: its commands are not typical.
    let small = stage.projects.get(1..).context("no projects")?;
    let begun = Instant::now();
    let end = begun + options.duration();
    let clients = small.chunks((small.len() / CLIENTS).max(1)).take(CLIENTS).map(|own| {
        let paths = own.iter().map(|project| format!("/api/v1/projects/{}", project.id)).collect();
        tokio::spawn(change_until(server.address.clone(), stage.token.clone(), paths, end))
    });
    let latencies: Vec<Vec<u32>> =
        try_join_all(clients).await?.into_iter().collect::<anyhow::Result<_>>().context("a command failed")?;
    let figures = Figures::of(latencies.concat(), begun.elapsed());
    if with_tree {
        // What comes next needs all of it.
        caught_up(&stage.pool, head(&stage.pool).await?).await?;
    }
    server.stop().await;
    holder.close().await?;
    Ok(figures)
}
