//! What a subscriber that reads nothing costs the kernel and the service.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{Stage, float, reader::Reader, writers::write};
use crate::{
    commands::found_project,
    report::{line, progress},
};

const SOCKETS: usize = 60;
const EVENTS: usize = 4_000;
/// What the kernel keeps on the reader's side: as little as it allows, so that what is measured is on the service's.
const RECEIVE_BUFFER: u32 = 4096;
const PAGE_KIB: f64 = 4.0;

/// Measures.
///
/// # Errors
/// Something fails.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    let project = found_project(&mut stage.connect().await?).await?;
    // Until what was measured before has left the kernel.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (memory, kernel) = (stage.resident_mib()?, tcp_pages()?);
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let stream = socket.connect(stage.server.address.parse()?).await?;
        let mut reader = Reader::open(stream, &stage.server.address, &stage.token).await?;
        reader.subscribe(&project, None).await?;
        sockets.push(reader);
    }
    progress(&format!("slow: {EVENTS} events for {SOCKETS} sockets that do not read"));
    let (mut most, mut peak) = (kernel, memory);
    let writing = write(stage, &project, 16, EVENTS);
    tokio::pin!(writing);
    let ended = loop {
        tokio::select! {
            ended = &mut writing => break ended,
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                most = most.max(tcp_pages()?);
                peak = peak.max(stage.resident_mib()?);
            }
        }
    };
    ended?;
    let kernel = (float(most) - float(kernel)) * PAGE_KIB / float(SOCKETS);
    let own = (peak - memory) * 1024.0 / float(SOCKETS);
    line(&format!(
        "{SOCKETS} sockets that do not read: {kernel:.0} KiB each in the kernel at most, {own:.0} KiB each in the service \
         (with what the commands of it take)"
    ));
    drop(sockets);
    Ok(json!({"kernel_kib_each": kernel, "service_kib_each": own}))
}

/// Memory that all TCP sockets of the machine's network have, in pages (proc(5), `/proc/net/sockstat`).
fn tcp_pages() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat").context("the kernel does not tell (Linux does)")?;
    let line = text.lines().find(|line| line.starts_with("TCP:")).context("nothing of TCP")?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem").skip(1);
    Ok(words.next().context("no memory")?.parse()?)
}
