//! The backstop, one task a process: asks Postgres how far the feeds are, and which history this is.
//!
//! While NATS delivers, this finds a lost last message; while it does not, this *is* the delivery, only slower.

use std::{collections::HashMap, sync::Arc};

use sqlx::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;
use workroom_projections::log;

use crate::live::{feed::Feed, hub::Hub};

/// Watches over heads and epoch until the hub closes.
pub(in crate::live) async fn watch_heads(hub: Hub) {
    let stop = hub.stopped().clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = run(&hub) => {}
    }
}

async fn run(hub: &Hub) {
    let config = hub.config();
    let mut tick = interval(config.heads_every_in_doubt.min(config.heads_every));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked = Instant::now();
    let mut expired = looked;
    let mut doubt_until = looked;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = hub.asked() => {
                // One look serves all who ask at the same moment, and a broken database is not asked in a tight loop.
                tokio::time::sleep(config.heads_every_in_doubt / 10).await;
            }
        }
        let now = Instant::now();
        let feeds = hub.all();
        if hub.take_doubt() {
            doubt_until = now + config.doubt;
        }
        let in_doubt = now < doubt_until || !hub.nats_is_here();
        // A tick that comes a little early must not put the look off by a whole one.
        let slack = config.heads_every_in_doubt / 2;
        if in_doubt || now - looked + slack >= config.heads_every {
            looked = now;
            match timeout(config.query, look(hub, &feeds)).await {
                Ok(Ok(found_behind)) => {
                    if found_behind {
                        doubt_until = now + config.doubt;
                    }
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the feeds' heads could not be read");
                }
                Err(_) => tracing::warn!("the feeds' heads could not be read in time"),
            }
        }
        if now - expired >= config.expire_every {
            expired = now;
            hub.pages().expire(now, config.page_age);
            for feed in &feeds {
                feed.expire(config);
            }
        }
    }
}

/// Returns whether a feed was behind.
async fn look(hub: &Hub, feeds: &[Arc<Feed>]) -> Result<bool, sqlx::Error> {
    // Epoch first: heads of a newer history with an older epoch are put right by the next look.
    let epoch = log::epoch(hub.pool()).await?;
    if feeds.is_empty() {
        hub.set_epoch(epoch);
        return Ok(false);
    }
    let heads = heads(hub.pool(), feeds).await?;
    let head_of = |feed: &Feed| heads.get(&feed.id.uuid()).copied().unwrap_or_default();
    if hub.set_epoch(epoch) {
        tracing::warn!(%epoch, "the log is another history now; every subscription is reset");
        for feed in feeds {
            feed.restart(head_of(feed));
        }
    }
    let mut behind = false;
    for feed in feeds {
        behind |= feed.expect(head_of(feed));
    }
    Ok(behind)
}

async fn heads(pool: &PgPool, feeds: &[Arc<Feed>]) -> Result<HashMap<Uuid, i64>, sqlx::Error> {
    let ids: Vec<Uuid> = feeds.iter().map(|feed| feed.id.uuid()).collect();
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT f.id, COALESCE((
             SELECT e.feed_seq FROM events e WHERE e.feed_id = f.id ORDER BY e.feed_seq DESC LIMIT 1), 0)
         FROM unnest($1::uuid[]) AS f (id)",
    )
    .bind(&ids)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}
