//! (b): appends straight into the log, one event a call.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::try_join_all;
use uuid::Uuid;
use workroom::{
    database,
    event_store::{AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend},
};

use super::Bench;
use crate::{pgbench::PAYLOAD_BYTES, samples::Figures};

/// A log of its own.
pub struct Stage {
    log: EventLog,
}

impl Stage {
    pub async fn prepare(bench: &Bench) -> anyhow::Result<Self> {
        let url = bench.workroom_database("bench_log").await?;
        let pool = database::pool(database::options(&url)?, 2);
        Ok(Self { log: EventLog::open(pool, AppendLimits::default()).await? })
    }

    pub async fn measure(&self, callers: usize, duration: Duration) -> anyhow::Result<Figures> {
        let begun = Instant::now();
        let tasks = (0..callers).map(|_| tokio::spawn(append_until(self.log.clone(), begun + duration)));
        let latencies: Vec<Vec<u32>> =
            try_join_all(tasks).await?.into_iter().collect::<anyhow::Result<_>>().context("an append failed")?;
        Ok(Figures::of(latencies.concat(), begun.elapsed()))
    }
}

async fn append_until(log: EventLog, end: Instant) -> anyhow::Result<Vec<u32>> {
    // The event's payload as JSON, of the same size as the yardstick's row.
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES - 11));
    let aggregate_id = Uuid::now_v7();
    let mut latencies = Vec::new();
    for sequence in 0.. {
        let begun = Instant::now();
        if begun >= end {
            break;
        }
        let event = NewEvent {
            event_id: Uuid::now_v7(),
            event_type: "Measured".to_owned(),
            event_version: "1".to_owned(),
            payload: payload.clone(),
            metadata: "{}".to_owned(),
        };
        let stream = StreamAppend {
            expected: Expected { aggregate_type: "bench", aggregate_id, sequence },
            feed_id: aggregate_id,
            events: vec![event],
        };
        log.append(AppendRequest { streams: vec![stream], ..AppendRequest::default() }).await?;
        latencies.push(u32::try_from(begun.elapsed().as_micros())?);
    }
    Ok(latencies)
}
