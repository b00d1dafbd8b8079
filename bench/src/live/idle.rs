//! What a socket costs that has subscribed and hears nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Stage, float, reader::Reader, writers::write};
use crate::{
    commands::found_project,
    report::{line, progress},
};

const SOCKETS: usize = 4_000;
/// What is done after they have gone.
const COMMANDS: usize = 5_000;
/// How long they are watched: two pings.
const WATCHED: Duration = Duration::from_secs(40);

/// Measures memory and processor time, and what memory is left of them when they have gone.
///
/// # Errors
/// Something fails.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    let project = found_project(&mut stage.connect().await?).await?;
    // The feed, and whatever the first socket brings.
    let first = Reader::follow(&stage.server.address, &stage.token, &project).await?;
    progress("idle sockets: none yet");
    let quiet = used_in(stage, WATCHED).await?;
    let before = stage.resident_mib()?;
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        sockets.push(Reader::follow(&stage.server.address, &stage.token, &project).await?);
    }
    let after = stage.resident_mib()?;
    let kib = (after - before) * 1024.0 / float(SOCKETS);
    progress(&format!("idle sockets: {SOCKETS}"));
    // They answer pings, as clients do.
    let answering: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(socket.answer())).collect();
    let used = used_in(stage, WATCHED).await?;
    let percent = (used.as_secs_f64() - quiet.as_secs_f64()) / WATCHED.as_secs_f64() * 100.0 * 1000.0 / float(SOCKETS);
    answering.iter().for_each(tokio::task::JoinHandle::abort);
    drop((answering, first));
    // Memory is given back by those who work on.
    write(stage, &project, 16, COMMANDS).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let left = (stage.resident_mib()? - before) * 1024.0 / float(SOCKETS);
    line(&format!(
        "{SOCKETS} idle subscribed sockets: {kib:.1} KiB each, {left:.1} of it after they have gone; \
         {percent:.2} % of a core for 1,000"
    ));
    Ok(json!({"kib_each": kib, "kib_each_left": left, "percent_of_core_per_1000": percent}))
}

async fn used_in(stage: &Stage, time: Duration) -> anyhow::Result<Duration> {
    let before = stage.processor_time()?;
    tokio::time::sleep(time).await;
    Ok(stage.processor_time()?.saturating_sub(before))
}
