//! Webhooks that have as many deliveries open as they may have. Who dispatches keeps all open jobs in memory, so an
//! address that is away must not add to them without end. Such a webhook is behind: what happened after a place in the
//! log is asked for when there is room again, from that place on. Nothing is lost, and no other webhook waits for it.

use std::collections::BTreeMap;

use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::due::{self, DueRow, MOST_OF_EVENT};
use crate::background::Stretch;

/// Webhooks that are looked at, and caught up, at a time.
const AT_ONCE: usize = 16;

/// Most open deliveries of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenLimit(i64);

impl OpenLimit {
    /// `0` is as many as there are.
    pub(super) fn new(limit: u32) -> Self {
        Self(if limit == 0 { i64::MAX } else { i64::from(limit) })
    }

    fn room(self, open: i64) -> i64 {
        (self.0 - open).max(0)
    }
}

/// The open deliveries of a webhook, as far as that matters; `k` has its id.
const OPEN: &str = "
    SELECT count(*) FROM (
        SELECT FROM jobs j
        WHERE j.job_type = 'webhook_delivery' AND j.status IN ('pending', 'running')
          AND j.fairness_key = 'webhook:' || k.id
        LIMIT $1
    ) AS open";

#[derive(FromRow)]
struct OpenRow {
    id: Uuid,
    open: i64,
}

/// How many more deliveries each of these webhooks may have open.
async fn rooms(pool: &PgPool, webhooks: &[Uuid], limit: OpenLimit) -> Result<BTreeMap<Uuid, i64>, sqlx::Error> {
    let rows: Vec<OpenRow> =
        sqlx::query_as(&format!("SELECT k.id, ({OPEN}) AS open FROM unnest($2::uuid[]) AS k (id)"))
            .bind(limit.0)
            .bind(webhooks)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, limit.room(row.open))).collect())
}

/// The position up to which deliveries to one webhook are asked for, if there is no room for all of them. All that
/// follow from one event are asked for together.
fn cut(positions: &[i64], room: i64) -> Option<i64> {
    let room = usize::try_from(room).unwrap_or_default();
    let first_out = *positions.get(room)?;
    match room.checked_sub(1) {
        Some(last_in) => positions.last().filter(|last| **last > positions[last_in]).map(|_| positions[last_in]),
        None => Some(first_out - 1),
    }
}

/// A webhook that falls behind: up to where its deliveries are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldBack {
    webhook_id: Uuid,
    at: i64,
}

/// Takes out of what is due whatever there is no room for, and tells which webhooks fall behind by that.
pub(super) async fn hold_back(
    pool: &PgPool,
    due: &mut Vec<DueRow>,
    limit: OpenLimit,
) -> Result<Vec<HeldBack>, sqlx::Error> {
    if due.is_empty() || limit.0 == i64::MAX {
        return Ok(Vec::new());
    }
    let mut positions: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for row in due.iter() {
        positions.entry(row.webhook_id).or_default().push(row.position);
    }
    let webhooks: Vec<Uuid> = positions.keys().copied().collect();
    let rooms = rooms(pool, &webhooks, limit).await?;
    let cuts: BTreeMap<Uuid, i64> = positions
        .iter()
        .filter_map(|(id, positions)| Some((*id, cut(positions, rooms.get(id).copied().unwrap_or_default())?)))
        .collect();
    due.retain(|row| cuts.get(&row.webhook_id).is_none_or(|at| row.position <= *at));
    Ok(cuts.into_iter().map(|(webhook_id, at)| HeldBack { webhook_id, at }).collect())
}

/// Notes which webhooks are behind. Another follower may have noted it too: the earlier place stands.
pub(super) async fn note(pool: &PgPool, held_back: &[HeldBack]) -> Result<(), sqlx::Error> {
    if held_back.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE webhook_endpoints e SET behind_at = LEAST(e.behind_at, n.at)
         FROM unnest($1::uuid[], $2::bigint[]) AS n (id, at) WHERE e.id = n.id",
    )
    .bind(held_back.iter().map(|webhook| webhook.webhook_id).collect::<Vec<_>>())
    .bind(held_back.iter().map(|webhook| webhook.at).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}

/// The next deliveries of a webhook that is behind.
#[derive(Debug)]
pub(super) struct Backlog {
    /// The webhook.
    pub webhook_id: Uuid,
    /// Where it was.
    from: i64,
    /// What is due, as far as there is room.
    pub due: Vec<DueRow>,
    /// Where it is when these are asked for.
    pub to: i64,
    /// Whether there is no room for more.
    pub is_full: bool,
}

#[derive(FromRow)]
struct BehindRow {
    id: Uuid,
    behind_at: i64,
    open: i64,
}

/// Where webhooks that are behind go on now, if they have room. None goes further than `until`, and each reads so many
/// positions and asks for so many deliveries at most. They take turns: `last` is who was looked at last.
pub(super) async fn next(
    pool: &PgPool,
    until: i64,
    (positions, deliveries): (i64, i64),
    limit: OpenLimit,
    last: &mut Uuid,
) -> Result<Vec<Backlog>, sqlx::Error> {
    let behind: Vec<BehindRow> = sqlx::query_as(&format!(
        "SELECT k.id, k.behind_at, ({OPEN}) AS open
         FROM webhook_endpoints k WHERE k.behind_at IS NOT NULL AND k.id > $2 ORDER BY k.id LIMIT $3"
    ))
    .bind(limit.0)
    .bind(*last)
    .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    *last = behind.get(AT_ONCE - 1).map(|row| row.id).unwrap_or_default();
    let mut backlogs = Vec::with_capacity(behind.len());
    for BehindRow { id, behind_at: from, open } in behind {
        let room = limit.room(open).min(deliveries);
        if room == 0 {
            continue;
        }
        let stretch = Stretch { after: from, until: until.min(from + positions) };
        let mut due = due::due(pool, stretch, room + MOST_OF_EVENT, Some(id)).await?;
        let all: Vec<i64> = due.iter().map(|row| row.position).collect();
        let cut = cut(&all, room);
        let to = cut.unwrap_or(stretch.until).max(from);
        due.retain(|row| row.position <= to);
        backlogs.push(Backlog { webhook_id: id, from, due, to, is_full: cut.is_some() && room < deliveries });
    }
    Ok(backlogs)
}

/// Moves a webhook that is behind to where it is now. Another follower may have moved it: then it stays.
pub(super) async fn advance(pool: &PgPool, backlog: &Backlog) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE webhook_endpoints SET behind_at = $3 WHERE id = $1 AND behind_at = $2")
        .bind(backlog.webhook_id)
        .bind(backlog.from)
        .bind(backlog.to)
        .execute(pool)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_waits_and_an_event_is_not_divided() {
        assert_eq!(cut(&[], 0), None);
        assert_eq!(cut(&[4, 7, 9], 3), None);
        assert_eq!(cut(&[4, 7, 9], i64::MAX), None);
        assert_eq!(cut(&[4, 7, 9], 2), Some(7));
        assert_eq!(cut(&[4, 7, 9], 0), Some(3), "nothing is asked for");
        assert_eq!(cut(&[4, 7, 7], 2), None, "one event, two deliveries");
        assert_eq!(cut(&[4, 7, 7, 9], 2), Some(7));
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert_eq!(OpenLimit::new(0).room(5_000_000), i64::MAX - 5_000_000);
        assert_eq!((OpenLimit::new(10).room(4), OpenLimit::new(10).room(12)), (6, 0));
    }
}
