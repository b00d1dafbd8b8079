//! The same command on an aggregate with 10 and with 100,000 events behind it: in the cache, and after a restart.

use std::time::Instant;

use anyhow::Context;
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workroom::{
    database,
    event_store::{AppendLimits, AppendRequest, EventLog, Expected, StreamAppend, serialize_events},
};
use workroom_domain::{
    actor::Actor,
    change::Change,
    ids::AccountId,
    metadata::Metadata,
    project::{ProjectChanges, ProjectEvent},
    text::Prose,
};

use super::{
    Bench,
    over_http::{change, found_project, sign_in},
};
use crate::{Options, http_client::Connection, report::line, samples::median};

const SHORT: i64 = 10;
const LONG: i64 = 100_000;
/// Events appended in one call while the long history is made.
const STRIDE: i64 = 500;

/// Latencies in microseconds, medians.
pub struct History {
    warm_short: f64,
    warm_long: f64,
    cold_short: f64,
    cold_long: f64,
}

impl History {
    /// Prints the figures, and returns them.
    pub fn show(&self) -> Value {
        line(&format!("\n{:<40}{:>12}{:>14}{:>10}", "one command, p50 ms", "10 events", "100,000 events", "ratio"));
        for (name, short, long) in [
            ("running service", self.warm_short, self.warm_long),
            ("first command after a restart", self.cold_short, self.cold_long),
        ] {
            line(&format!("{name:<40}{:>12.2}{:>14.2}{:>10.2}", short / 1000.0, long / 1000.0, long / short));
        }
        json!({
            "warm_10_us": self.warm_short, "warm_100000_us": self.warm_long,
            "warm_ratio": self.warm_long / self.warm_short,
            "cold_10_us": self.cold_short, "cold_100000_us": self.cold_long,
            "cold_ratio": self.cold_long / self.cold_short,
        })
    }
}

pub async fn measure(bench: &Bench, options: &Options) -> anyhow::Result<History> {
    let url = bench.workroom_database("bench_history").await?;
    let pool = database::pool(database::options(&url)?, 2);
    let nats = bench.nats(&url).await?;
    let server = bench.server(&url, &nats).await?;
    let mut connection = Connection::open(&server.address).await?;
    let token = sign_in(&mut connection).await?;
    let short = found_project(&mut connection).await?;
    let long = found_project(&mut connection).await?;
    lengthen(&pool, &short, SHORT).await?;
    lengthen(&pool, &long, LONG).await?;
    // The first command meets the long history cold and leaves a snapshot; the views catch up meanwhile.
    for project in [&short, &long] {
        timed(&mut connection, project, 0).await?;
    }
    let (mut warm_short, mut warm_long) = (Vec::new(), Vec::new());
    let end = Instant::now() + options.duration();
    let mut count = 1;
    while Instant::now() < end {
        warm_short.push(timed(&mut connection, &short, count).await?);
        warm_long.push(timed(&mut connection, &long, count).await?);
        count += 1;
    }
    server.stop().await;
    let (mut cold_short, mut cold_long) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(3) {
        for (project, latencies) in [(&short, &mut cold_short), (&long, &mut cold_long)] {
            let server = bench.server(&url, &nats).await?;
            let mut connection = Connection::open(&server.address).await?;
            connection.sign_in(&token);
            // A read warms connection, statements and token, but loads no aggregate.
            connection.send(Method::GET, &format!("/api/v1/projects/{project}"), Bytes::new()).await?;
            count += 1;
            latencies.push(timed(&mut connection, project, count).await?);
            server.stop().await;
        }
    }
    nats.stop().await;
    Ok(History {
        warm_short: median(warm_short.into_iter()),
        warm_long: median(warm_long.into_iter()),
        cold_short: median(cold_short.into_iter()),
        cold_long: median(cold_long.into_iter()),
    })
}

async fn timed(connection: &mut Connection, project: &str, count: usize) -> anyhow::Result<f64> {
    let body = Bytes::from(change(count).to_string());
    let begun = Instant::now();
    connection.send(Method::PATCH, &format!("/api/v1/projects/{project}"), body).await?;
    Ok(begun.elapsed().as_secs_f64() * 1e6)
}

/// Gives a project a history of this many events, as a service would have written it.
async fn lengthen(pool: &PgPool, project: &str, events: i64) -> anyhow::Result<()> {
    let log = EventLog::open(pool.clone(), AppendLimits::default()).await?;
    let id: Uuid = project.parse()?;
    let actor: String = sqlx::query_scalar("SELECT metadata->>'actor' FROM events WHERE aggregate_id = $1 LIMIT 1")
        .bind(project)
        .fetch_one(pool)
        .await?;
    let actor: Actor = actor.parse().unwrap_or(Actor::Account(AccountId(Uuid::nil())));
    let mut sequence = 1;
    let mut from = Prose::default();
    while sequence < events {
        let batch = STRIDE.min(events - sequence);
        let mut changed = Vec::new();
        for count in 0..batch {
            let to = Prose::parse(&format!("description {}", sequence + count))?;
            let description = Some(Change { from: std::mem::replace(&mut from, to.clone()), to });
            changed
                .push(ProjectEvent::ProjectUpdated { changes: ProjectChanges { description, ..Default::default() } });
        }
        let metadata = Metadata {
            actor,
            occurred_at: workroom::clock::now(),
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            trace_id: None,
        };
        let stream = StreamAppend {
            expected: Expected { aggregate_type: "project", aggregate_id: id, sequence },
            feed_id: id,
            events: serialize_events(&changed, &metadata)?,
        };
        log.append(AppendRequest { streams: vec![stream], ..AppendRequest::default() })
            .await
            .context("the history could not be made")?;
        sequence += batch;
    }
    Ok(())
}
