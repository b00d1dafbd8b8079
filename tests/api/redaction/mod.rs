//! `POST …/events/{seq}/redact`, and what else takes text out of the log: what was said is gone, that it was said stays.

mod canary;
mod disk;
mod erased;
mod every_type;
mod jobs;
mod linear;
mod long;
mod notes;
mod orders;
mod refusals;
mod retention;
mod rights;
mod schedules;
mod traces;
mod written;

pub use refusals::MET;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Client, Reply, dump};

/// Redacts an event of a feed.
async fn redact(client: &Client, feed: &str, seq: &Value) -> Reply {
    client.post(&format!("{feed}/events/{seq}/redact"), json!({"reason": "posted by mistake"})).await
}

/// The events of a feed of this type, in order.
async fn events(client: &Client, feed: &str, event_type: &str) -> Vec<Value> {
    client.get(&format!("{feed}/events?type={event_type}&limit=100")).await.is(200).items().clone()
}

/// Whether a dump has a text; contents are shown in hexadecimal.
fn has(dump: &str, text: &str) -> bool {
    dump.contains(text) || dump.contains(&hex::encode(text))
}

/// Waits until no table has any of these texts: views follow the log.
async fn are_gone(pool: &PgPool, texts: &[&str]) {
    let mut found = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let dump = dump(pool).await;
        found = dump.lines().filter(|row| texts.iter().any(|text| has(row, text))).map(str::to_owned).collect();
        if found.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{texts:?} are still there:\n{}", found.join("\n"));
}
