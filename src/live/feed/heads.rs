//! The backstop, one task a process: asks Postgres how far the feeds are, which history this is, and who may watch.
//!
//! While NATS delivers, this finds a lost last message; while it does not, this *is* the delivery, only slower.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;
use workroom_domain::{
    access::{self, Action},
    ids::{AccountId, ProjectId},
};
use workroom_projections::log;

use crate::live::{
    feed::{Feed, revocation::EndReason},
    hub::Hub,
};

/// Watches over heads, epoch and members until the hub closes.
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
    let mut announced = looked;
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
        if now - announced >= config.announce_every {
            announced = now;
            hub.pages().expire(now, config.page_age);
            for feed in &feeds {
                feed.expire(config);
                feed.announce();
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
    let head_of = |feed: &Feed| heads.get(&feed.id).copied().unwrap_or_default();
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
    recheck(hub.pool(), feeds).await?;
    Ok(behind)
}

async fn heads(pool: &PgPool, feeds: &[Arc<Feed>]) -> Result<HashMap<ProjectId, i64>, sqlx::Error> {
    let ids: Vec<Uuid> = feeds.iter().map(|feed| feed.id.uuid()).collect();
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT f.id, COALESCE((
             SELECT e.feed_seq FROM events e WHERE e.feed_id = f.id ORDER BY e.feed_seq DESC LIMIT 1), 0)
         FROM unnest($1::uuid[]) AS f (id)",
    )
    .bind(&ids)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(id, head)| (ProjectId(id), head)).collect())
}

/// Ends the subscriptions of accounts that may no longer watch, should an event of that have passed unseen.
async fn recheck(pool: &PgPool, feeds: &[Arc<Feed>]) -> Result<(), sqlx::Error> {
    // The subscribers are listed before the views are asked: who was admitted might watch by the views then.
    let subscribers: Vec<_> =
        feeds.iter().flat_map(|feed| feed.admitted().into_iter().map(|subscriber| (feed.id, subscriber))).collect();
    let pairs: HashSet<(ProjectId, AccountId)> =
        subscribers.iter().map(|(project_id, subscriber)| (*project_id, subscriber.account)).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let (projects, accounts): (Vec<Uuid>, Vec<Uuid>) =
        pairs.into_iter().map(|(project, account)| (project.uuid(), account.uuid())).unzip();
    let without_right: Vec<(Uuid, Uuid, bool)> = sqlx::query_as(
        "SELECT s.project_id, s.account_id, COALESCE(p.deleted, true)
         FROM unnest($1::uuid[], $2::uuid[]) AS s (project_id, account_id)
         LEFT JOIN projects p ON p.id = s.project_id
         CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, s.account_id) r
         WHERE (r.relation = ANY($3)) IS NOT TRUE",
    )
    .bind(&projects)
    .bind(&accounts)
    .bind(access::allowing(Action::JoinLive))
    .fetch_all(pool)
    .await?;
    let why = |deleted| if deleted { EndReason::Deleted } else { EndReason::Revoked };
    let ended: HashMap<(ProjectId, AccountId), EndReason> = without_right
        .into_iter()
        .map(|(project, account, deleted)| ((ProjectId(project), AccountId(account)), why(deleted)))
        .collect();
    for (project_id, subscriber) in subscribers {
        if let Some(why) = ended.get(&(project_id, subscriber.account)) {
            subscriber.end(*why);
        }
    }
    Ok(())
}
