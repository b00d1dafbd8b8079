//! How long events take to another instance's socket while NATS is killed and loses all that it has stored.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use workroom_dev::child::workroom_bin;

use super::{PATIENCE, Stage, float, reader::Reader, writers::write_at};
use crate::{
    commands::found_project,
    report::{line, progress},
    server::Server,
};

/// Commands a second.
const RATE: u64 = 50;
const SECONDS: u64 = 8;
/// When NATS is wiped, from the first command on.
const WIPED_AT: Duration = Duration::from_secs(2);
/// How long after it is there again everything is to be as before.
const HEALED: Duration = Duration::from_secs(2);

/// Measures.
///
/// # Errors
/// Something fails; an event is lost, or out of order.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    let (owner_url, nats_url) = (stage.services.owner_url(), stage.services.nats_url());
    let other = Server::start(&workroom_bin()?, owner_url, nats_url).await?;
    let project = found_project(&mut stage.connect().await?).await?;
    let reader = Reader::follow(&other.address, &stage.token, &project).await?;
    let (start, count) = (reader.head(), usize::try_from(RATE * SECONDS)?);
    let events = stage.database.events().await?;
    progress("wiped: NATS loses all that it has stored");
    let reading = tokio::spawn(reader.arrivals(count));
    let wiping = async {
        tokio::time::sleep(WIPED_AT).await;
        stage.services.nats().context("the benchmark has a NATS of its own")?.wipe_store().await?;
        anyhow::Ok(Instant::now())
    };
    let (done, wiped) = tokio::join!(write_at(stage, &project, RATE, count), wiping);
    let (done, wiped) = (done?, wiped?);
    let arrivals = tokio::time::timeout(PATIENCE, reading).await.context("the reader waits")???;
    let (mut meanwhile, mut healed) = (Duration::ZERO, Duration::ZERO);
    for (number, (one, (seq, at))) in done.iter().zip(arrivals).enumerate() {
        ensure!(seq == start + 1 + i64::try_from(number)?, "{seq} came in the place of another");
        let most = if one.sent > wiped + HEALED { &mut healed } else { &mut meanwhile };
        *most = at.duration_since(one.sent).max(*most);
    }
    other.stop().await;
    let [meanwhile, healed] = [meanwhile, healed].map(|most| most.as_secs_f64() * 1000.0);
    line(&format!(
        "NATS wiped beside {:.0} events: {meanwhile:.0} ms to another instance's socket at most, {healed:.1} ms from {} s after it on",
        float(events),
        HEALED.as_secs()
    ));
    Ok(json!({"events": events, "most_ms": meanwhile, "most_ms_healed": healed}))
}
