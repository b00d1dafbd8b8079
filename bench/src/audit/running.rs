//! What is measured at a running service: how far the checkpoints are behind while commands are carried out, and
//! reading a project as it was.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::{Stage, fill::Project, head};
use crate::{
    Options,
    commands::change,
    http_client::Connection,
    report::{bar, progress},
    samples::Figures,
    server::Server,
};

/// Connections that carry out commands, as in `./dev bench commands`.
pub const CLIENTS: usize = 64;
/// How often it is asked whether views and tree are at the end of the log.
const SELDOM: Duration = Duration::from_millis(50);
/// How long they may take to get there.
const PATIENCE: Duration = Duration::from_mins(15);

/// Milliseconds within which an event must be in a signed checkpoint.
const LAG_BAR: f64 = 1000.0;
/// Milliseconds within which a project of a tenth of the log is read as it was.
const AS_OF_BAR: f64 = 300.0;

const IS_CAUGHT_UP: &str = "
    SELECT NOT EXISTS (SELECT FROM projection_checkpoints WHERE position < $1)
       AND COALESCE((SELECT max(size) FROM log_checkpoints), 0) >= $1";

/// How long each event waited for the first checkpoint that it is in.
const LAGS: &str = "
    SELECT count(*) AS events,
           (max(lag) * 1000)::float8 AS max_ms,
           (percentile_cont(0.99) WITHIN GROUP (ORDER BY lag) * 1000)::float8 AS p99_ms,
           (percentile_cont(0.5) WITHIN GROUP (ORDER BY lag) * 1000)::float8 AS p50_ms
    FROM (
        SELECT extract(epoch FROM c.signed_at - e.recorded_at)::float8 AS lag
        FROM events e CROSS JOIN LATERAL (
            SELECT signed_at FROM log_checkpoints WHERE size >= e.position ORDER BY size LIMIT 1) AS c
        WHERE e.position > $1 AND e.position <= $2) AS lags";

/// Waits until views, tree and checkpoint are at a position; tells how long that took.
///
/// # Errors
/// They do not get there.
pub async fn caught_up(pool: &PgPool, position: i64) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut ticks = interval(SELDOM);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timeout(PATIENCE, async {
        loop {
            ticks.tick().await;
            let is_there: bool = sqlx::query_scalar(IS_CAUGHT_UP).bind(position).fetch_one(pool).await?;
            if is_there {
                return anyhow::Ok(());
            }
        }
    })
    .await
    .context("views or tree do not come to the end of the log")??;
    Ok(begun.elapsed())
}

/// How far the checkpoints are behind, event by event, while 64 connections change projects.
pub async fn lag(stage: &Stage, server: &Server, options: &Options) -> anyhow::Result<Value> {
    // From rest: what was written before is not measured.
    caught_up(&stage.pool, head(&stage.pool).await?).await?;
    let before = head(&stage.pool).await?;
    let duration = options.duration() * u32::try_from(options.rounds.max(1))?;
    progress(&format!("commands over {CLIENTS} connections, for {} s", duration.as_secs()));
    // The large one is left out: its commands are not typical.
    let small = stage.projects.get(1..).context("no projects")?;
    let begun = Instant::now();
    let clients = small.chunks((small.len() / CLIENTS).max(1)).take(CLIENTS).map(|own| {
        let paths = own.iter().map(|project| format!("/api/v1/projects/{}", project.id)).collect();
        tokio::spawn(change_until(server.address.clone(), stage.token.clone(), paths, begun + duration))
    });
    let latencies: Vec<Vec<u32>> =
        try_join_all(clients).await?.into_iter().collect::<anyhow::Result<_>>().context("a command failed")?;
    let commands = Figures::of(latencies.concat(), begun.elapsed());
    let after = head(&stage.pool).await?;
    caught_up(&stage.pool, after).await?;
    let row = sqlx::query(LAGS).bind(before).bind(after).fetch_one(&stage.pool).await?;
    let events: i64 = row.try_get("events")?;
    ensure!(events == after - before, "{events} of {} events are in a checkpoint", after - before);
    let [most, p99, p50]: [f64; 3] = [row.try_get("max_ms")?, row.try_get("p99_ms")?, row.try_get("p50_ms")?];
    let told = format!(
        "checkpoint lag of {events} events at {:.0} commands/s: p50 {p50:.0} ms, p99 {p99:.0} ms, most {most:.0} ms \
         (bar {LAG_BAR:.0})",
        commands.per_second
    );
    bar(most <= LAG_BAR, &told);
    Ok(json!({"events": events, "p50_ms": p50, "p99_ms": p99, "max_ms": most, "commands": commands.json()}))
}

/// Changes projects, one after the other, until then. Tells how long each command took, in microseconds.
///
/// # Errors
/// A command fails.
pub async fn change_until(
    address: String,
    token: String,
    paths: Vec<String>,
    end: Instant,
) -> anyhow::Result<Vec<u32>> {
    let mut connection = Connection::open(&address).await?;
    connection.sign_in(&token);
    let mut latencies = Vec::new();
    let seed = usize::try_from(Uuid::now_v7().as_u128() % 1_000_000_007)?;
    for (count, path) in paths.iter().cycle().enumerate() {
        let body = Bytes::from(change(seed + count).to_string());
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        connection.send(Method::PATCH, path, body).await?;
        latencies.push(u32::try_from(sent.elapsed().as_micros())?);
    }
    Ok(latencies)
}

/// Reads of a project as it was at moments all over its history, one after the other.
pub async fn as_of(stage: &Stage, server: &Server, project: &Project, options: &Options) -> anyhow::Result<Value> {
    let last: i64 = sqlx::query_scalar("SELECT max(feed_seq) FROM events WHERE feed_id = $1")
        .bind(project.id)
        .fetch_one(&stage.pool)
        .await?;
    progress(&format!("a project of {last} events is read as it was"));
    let mut connection = Connection::open(&server.address).await?;
    connection.sign_in(&stage.token);
    let (mut latencies, mut bytes) = (Vec::new(), 0);
    let begun = Instant::now();
    let end = begun + options.duration() * u32::try_from(options.rounds.max(1))?;
    while Instant::now() < end {
        // The last bits of such an id are random.
        let seq = i64::try_from(Uuid::now_v7().as_u128() % u128::try_from(last.max(1))?)? + 1;
        let path = format!("/api/v1/projects/{}/state?as_of={seq}", project.id);
        let sent = Instant::now();
        let reply = connection.send(Method::GET, &path, Bytes::new()).await?;
        latencies.push(u32::try_from(sent.elapsed().as_micros())?);
        bytes = bytes.max(reply.len());
    }
    let reads = latencies.len();
    let figures = Figures::of(latencies, begun.elapsed());
    let [p50, p99] = [figures.p50_us, figures.p99_us].map(|us| us / 1000.0);
    let told = format!(
        "{reads} reads as of a moment, {last} events, up to {bytes} bytes: p50 {p50:.0} ms, p99 {p99:.0} ms \
         (bar {AS_OF_BAR:.0})"
    );
    bar(p99 <= AS_OF_BAR, &told);
    let mut value = figures.json();
    value["project_events"] = json!(last);
    value["most_bytes"] = json!(bytes);
    Ok(value)
}
