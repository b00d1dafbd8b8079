//! Thousands of sockets are cut off at once, and come back at once.

use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{PATIENCE, Stage, reader::Reader, writers::write};
use crate::{
    Options,
    commands::found_project,
    report::{bar, progress},
    samples::median,
};

const SOCKETS: usize = 5_000;
const PROJECTS: usize = 50;
/// What each project's sockets have missed when they come back.
const MISSED: usize = 3;
/// When the last one is current, and what that takes.
const SECONDS_BAR: f64 = 1.5;
const TRANSACTIONS_BAR: i64 = 500;

/// Measures.
///
/// # Errors
/// Something fails; an event is lost, or out of order.
pub async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let (mut seconds, mut transactions) = (Vec::new(), Vec::new());
    let mut connection = stage.connect().await?;
    let mut projects = Vec::new();
    for _ in 0..PROJECTS {
        projects.push(found_project(&mut connection).await?);
    }
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {SOCKETS} sockets over {PROJECTS} projects are cut off"));
        let before = stage.database.transactions().await?;
        for project in &projects {
            write(stage, project, 1, MISSED).await?;
        }
        // Those of the commands, and of what runs all the time.
        let commands = stage.database.transactions().await? - before;
        let mut sockets = Vec::with_capacity(SOCKETS);
        for project in projects.iter().cycle().take(SOCKETS) {
            sockets.push(Reader::follow(&stage.server.address, &stage.token, project).await?);
        }
        let places: Vec<_> = sockets.iter().take(PROJECTS).map(|one| (one.epoch().to_owned(), one.head())).collect();
        let written = stage.database.transactions().await?;
        drop(sockets);
        for project in &projects {
            write(stage, project, 1, MISSED).await?;
        }
        let begun = Instant::now();
        let resume = projects.iter().zip(&places).cycle().take(SOCKETS).map(|(project, (epoch, seq))| {
            let (address, token) = (stage.server.address.clone(), stage.token.clone());
            let (project, epoch, after) = (project.clone(), epoch.clone(), *seq);
            tokio::spawn(async move {
                let mut reader = Reader::resume(&address, &token, &project, &epoch, after).await?;
                reader.read_to(after, after + i64::try_from(MISSED)?).await?;
                anyhow::Ok(reader)
            })
        });
        let current = tokio::time::timeout(PATIENCE, try_join_all(resume)).await.context("a socket waits")??;
        let current: Vec<Reader> = current.into_iter().collect::<anyhow::Result<_>>()?;
        seconds.push(begun.elapsed().as_secs_f64());
        transactions.push(stage.database.transactions().await? - written - commands);
        drop(current);
    }
    transactions.sort_unstable();
    let (seconds, transactions) = (median(seconds.into_iter()), transactions[transactions.len() / 2]);
    bar(
        seconds <= SECONDS_BAR && transactions <= TRANSACTIONS_BAR,
        &format!(
            "{SOCKETS} sockets over {PROJECTS} projects come back at once: all are current after {seconds:.2} s (bar \
             {SECONDS_BAR}), {transactions} transactions beside those of {} commands (bar {TRANSACTIONS_BAR})",
            PROJECTS * MISSED
        ),
    );
    Ok(json!({"seconds": seconds, "transactions": transactions}))
}
