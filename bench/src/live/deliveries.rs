//! How many deliveries a second there are, beside Socket.IO; and what one costs the service.
//!
//! The cost of a delivery is what commands cost more, in processor time of the service, when a hundred readers follow than when one
//! does, divided by the ninety-nine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{
    Stage, bare_send, float,
    reader::Reader,
    socket_io,
    writers::{write_at, write_until},
};
use crate::{
    Options,
    commands::found_project,
    report::{bar, progress},
    samples::median,
};

/// Writers and readers where as much is delivered as there can be.
const WRITERS: usize = 64;
const READERS: usize = 100;
/// Commands a second and readers where little is delivered at a time: ten thousand deliveries a second, both ways.
const SPARSE: [(u64, usize); 2] = [(500, 20), (100, 100)];
/// Deliveries a second, and microseconds of processor time of each: where as much as possible is delivered, and where little is.
const DELIVERIES_BAR: f64 = 300_000.0;
const DENSE_BAR: f64 = 0.8;
const SPARSE_BAR: f64 = 4.0;

/// What one round gave.
struct Round {
    deliveries_per_second: f64,
    /// Processor time of the service for each command.
    micros_per_command: f64,
}

/// Measures.
///
/// # Errors
/// Something fails.
pub async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let peer = socket_io::SocketIo::start().await?;
    let (mut ours, mut theirs, mut dense) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sparse, mut sends) = (SPARSE.map(|_| Vec::new()), SPARSE.map(|_| Vec::new()));
    for number in 1..=options.rounds.max(1) {
        progress(&format!("round {number}: {WRITERS} writers, {READERS} readers"));
        let many = round(stage, options, READERS, None).await?;
        ours.push(many.deliveries_per_second);
        if let Some(peer) = &peer {
            progress(&format!("round {number}: the same over Socket.IO"));
            theirs.push(peer.deliveries(READERS, WRITERS, options.duration()).await?);
        }
        progress(&format!("round {number}: {WRITERS} writers, 1 reader"));
        let one = round(stage, options, 1, None).await?;
        dense.push((many.micros_per_command - one.micros_per_command) / float(READERS - 1));
        for (((rate, readers), each), send) in SPARSE.into_iter().zip(&mut sparse).zip(&mut sends) {
            progress(&format!("round {number}: {rate} commands/s, {readers} readers"));
            let many = round(stage, options, readers, Some(rate)).await?;
            let one = round(stage, options, 1, Some(rate)).await?;
            each.push((many.micros_per_command - one.micros_per_command) / float(readers - 1));
            send.push(bare_send::measure(rate, readers, options.duration()).await?);
        }
    }
    let [ours, theirs, dense] = [ours, theirs, dense].map(|rounds| median(rounds.into_iter()));
    bar(
        ours >= DELIVERIES_BAR,
        &format!("{WRITERS} writers, {READERS} readers: {ours:.0} deliveries a second (bar {DELIVERIES_BAR:.0})"),
    );
    let beside = peer.as_ref().map_or(Value::Null, |peer| peer.show(ours, theirs));
    bar(dense <= DENSE_BAR, &format!("processor time of a delivery there: {dense:.2} us (bar {DENSE_BAR})"));
    let mut json = json!({"per_second": ours, "socket_io": beside, "micros_each": dense});
    for (((rate, readers), each), send) in SPARSE.into_iter().zip(sparse).zip(sends) {
        let (each, send) = (median(each.into_iter()), median(send.into_iter()));
        bar(
            each <= SPARSE_BAR,
            &format!(
                "processor time of a delivery at {rate}/s to {readers} readers: {each:.2} us (bar {SPARSE_BAR}); \
                 a bare send over loopback, as often: {send:.2} us"
            ),
        );
        json[format!("micros_each_at_{rate}_to_{readers}")] = each.into();
        json[format!("micros_of_a_send_at_{rate}_to_{readers}")] = send.into();
    }
    if let Some(peer) = peer {
        peer.stop().await;
    }
    Ok(json)
}

/// Writers as fast as they can, or so many commands a second.
async fn round(stage: &Stage, options: &Options, readers: usize, rate: Option<u64>) -> anyhow::Result<Round> {
    let project = found_project(&mut stage.connect().await?).await?;
    let follow = (0..readers).map(|_| Reader::follow(&stage.server.address, &stage.token, &project));
    let delivered = Arc::new(AtomicU64::new(0));
    let readers = try_join_all(follow).await?;
    let reading: Vec<_> =
        readers.into_iter().map(|reader| tokio::spawn(reader.count(Arc::clone(&delivered)))).collect();
    let (begun, used) = (Instant::now(), stage.processor_time()?);
    let commands = match rate {
        Some(rate) => {
            let count = usize::try_from(rate * options.duration().as_secs())?;
            write_at(stage, &project, rate, count).await?.len()
        }
        None => write_until(stage, &project, WRITERS, begun + options.duration()).await?,
    };
    let (took, delivered) = (begun.elapsed(), delivered.load(Ordering::Relaxed));
    let used = stage.processor_time()?.saturating_sub(used);
    reading.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(Round {
        deliveries_per_second: float(delivered) / took.as_secs_f64(),
        micros_per_command: used.as_secs_f64() * 1e6 / float(commands),
    })
}
