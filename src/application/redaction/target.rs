//! The event that is to be redacted, as the log has it.

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_domain::{
    file::Sha256,
    ids::AccountId,
    redaction::{PAYLOAD_REDACTED, tombstone},
};

use crate::application::Error;

/// How an event is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By its place in a feed.
    InFeed {
        /// The feed.
        feed_id: Uuid,
        /// The place in it.
        seq: i64,
    },
    /// By its place in the whole log.
    At(i64),
}

/// An event that is to be redacted, and what will remain of it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) feed_id: Uuid,
    pub(super) feed_seq: i64,
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: Uuid,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: String,
    /// What takes the payload's place; none where there is nothing to redact.
    pub(super) remains: Option<String>,
}

#[derive(FromRow)]
struct Row {
    position: i64,
    event_id: Uuid,
    feed_id: Uuid,
    feed_seq: i64,
    aggregate_type: String,
    aggregate_id: Uuid,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
}

const SELECT: &str =
    "SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id::uuid AS aggregate_id, sequence,
    event_type, event_version, payload::text AS payload FROM events WHERE ";

impl TryFrom<Row> for Target {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        // A redaction has a reason, which stays: tombstone() leaves it as it is.
        let remains = tombstone(&row.event_type, &row.payload, row.position).map_err(Error::failure)?;
        Ok(Self {
            position: row.position,
            event_id: row.event_id,
            feed_id: row.feed_id,
            feed_seq: row.feed_seq,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            remains,
        })
    }
}

impl Target {
    /// Finds an event.
    pub(super) async fn find(pool: &PgPool, place: Place) -> Result<Option<Self>, Error> {
        let found: Option<Row> = match place {
            Place::InFeed { feed_id, seq } => {
                let find = format!("{SELECT}feed_id = $1 AND feed_seq = $2");
                sqlx::query_as(&find).bind(feed_id).bind(seq).fetch_optional(pool).await?
            }
            Place::At(position) => {
                sqlx::query_as(&format!("{SELECT}position = $1")).bind(position).fetch_optional(pool).await?
            }
        };
        found.map(Self::try_from).transpose()
    }

    /// Finds the events at these positions, ascending.
    pub(super) async fn all(pool: &PgPool, positions: &[i64]) -> Result<Vec<Self>, Error> {
        let find = format!("{SELECT}position = ANY($1) ORDER BY position");
        let found: Vec<Row> = sqlx::query_as(&find).bind(positions).fetch_all(pool).await?;
        found.into_iter().map(Self::try_from).collect()
    }
}

/// Which of the events at these positions were redacted.
pub(super) async fn redacted_of(pool: &PgPool, positions: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
    // One after the other, by the index on redactions: a planner that knows of none yet would read all of them each time.
    sqlx::query_scalar(
        "SELECT p.position FROM unnest($1::bigint[]) AS p (position)
         WHERE EXISTS (SELECT FROM events e WHERE e.event_type = 'PayloadRedacted'
                       AND (e.payload->>'position')::bigint = p.position OFFSET 0)",
    )
    .bind(positions)
    .fetch_all(pool)
    .await
}

/// The digest of what remains, as the redaction tells it.
pub(super) fn digest_of(remains: &str) -> Result<Sha256, Error> {
    Ok(Sha256(digest(&SHA256, remains.as_bytes()).as_ref().try_into().map_err(Error::failure)?))
}

/// What is still to be looked at of an order: a portion of events, and the position up to which there are no others.
pub(super) struct Portion {
    /// Their positions.
    pub(super) positions: Vec<i64>,
    /// Up to here.
    pub(super) to: i64,
}

/// How much is looked at at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Positions of the log, where all of it is looked through.
    pub(super) stretch: i64,
    /// Events.
    pub(super) events: i64,
    /// Bytes of their payloads; at least one event.
    pub(super) bytes: i64,
}

/// The next events of an account, in all feeds, that were not redacted yet.
pub(super) async fn of_account(
    pool: &PgPool,
    account_id: AccountId,
    (after, until): (i64, i64),
    bounds: Bounds,
) -> Result<Portion, sqlx::Error> {
    let end = until.min(after + bounds.stretch);
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT position, octet_length(payload::text)::bigint FROM events
         WHERE position > $1 AND position <= $2 AND metadata->>'actor' = $3 AND event_type <> $4
         ORDER BY position LIMIT $5",
    )
    .bind(after)
    .bind(end)
    .bind(format!("account:{account_id}"))
    .bind(PAYLOAD_REDACTED)
    .bind(bounds.events)
    .fetch_all(pool)
    .await?;
    Ok(portion(&found, end, bounds))
}

/// The next events of a feed. Its places have no holes: so no more than these are read, however many are behind them.
pub(super) async fn of_feed(
    pool: &PgPool,
    feed_id: Uuid,
    (after, until): (i64, i64),
    bounds: Bounds,
) -> Result<Portion, sqlx::Error> {
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT position, octet_length(payload::text)::bigint FROM events
         WHERE feed_id = $1 AND feed_seq > feed_size_at($1, $2)
           AND feed_seq <= LEAST(feed_size_at($1, $2) + $4, feed_size_at($1, $3))
         ORDER BY feed_seq",
    )
    .bind(feed_id)
    .bind(after)
    .bind(until)
    .bind(bounds.events)
    .fetch_all(pool)
    .await?;
    Ok(portion(&found, until, bounds))
}

/// As many of these positions as their bytes allow.
fn portion(found: &[(i64, i64)], end: i64, bounds: Bounds) -> Portion {
    let mut bytes = 0;
    let fits = |(_, size): &&(i64, i64)| {
        let is_first = bytes == 0;
        bytes += size;
        is_first || bytes <= bounds.bytes
    };
    let positions: Vec<i64> = found.iter().take_while(fits).map(|(position, _)| *position).collect();
    let is_all = positions.len() == found.len() && i64::try_from(found.len()).is_ok_and(|all| all < bounds.events);
    let to = if is_all { end } else { positions.last().copied().unwrap_or(end) };
    Portion { positions, to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_goes_as_far_as_nothing_is_left_out() {
        let bounds = Bounds { stretch: 0, events: 3, bytes: 10 };
        let of = |found: &[(i64, i64)]| {
            let Portion { positions, to } = portion(found, 9, bounds);
            (positions, to)
        };
        assert_eq!(of(&[]), (vec![], 9));
        assert_eq!(of(&[(3, 5)]), (vec![3], 9));
        assert_eq!(of(&[(3, 5), (4, 5)]), (vec![3, 4], 9));
        assert_eq!(of(&[(3, 1), (4, 1), (5, 1)]), (vec![3, 4, 5], 5), "there may be more");
        assert_eq!(of(&[(3, 5), (4, 6)]), (vec![3], 3), "the second does not fit");
        assert_eq!(of(&[(3, 50), (4, 1)]), (vec![3], 3), "the first is taken however large it is");
    }

    #[test]
    fn what_remains_is_told_by_its_digest() {
        // FIPS 180-4, the example of one block.
        let digest = hex::encode(digest_of("abc").expect("a digest").0);
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
