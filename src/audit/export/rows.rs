//! The events of an export as the log holds them, with what ties their payloads to the tree.

use futures::{Stream, TryStreamExt};
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_proofs::{frontier::Frontier, hash::Hash};

use super::line::{EventLine, Tie};

/// Payloads and metadata of one page, in bytes, beyond which no further event is read.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Leaves that are read at a time.
const LEAVES: usize = 10_000;

/// An event, and its leaf's secret.
#[derive(FromRow)]
pub(super) struct EventRow {
    pub position: i64,
    event_id: Uuid,
    feed_id: Uuid,
    feed_seq: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    recorded_at: OffsetDateTime,
    payload: String,
    metadata: String,
    leaf: Vec<u8>,
    salt: Option<Vec<u8>>,
    commitment: Option<Vec<u8>>,
}

impl EventRow {
    /// As a line of an export.
    pub(super) fn line(&self, log_id: Uuid, skipped: Vec<Hash>) -> Result<EventLine<'_>, &'static str> {
        let salt =
            self.salt.as_deref().map(|salt| salt.try_into().map_err(|_| "its salt is not 16 bytes")).transpose()?;
        let tie = match (salt, self.commitment.as_deref()) {
            (Some(salt), _) => Tie::Salt(salt),
            (None, Some(commitment)) => {
                Tie::Commitment(Hash::from_slice(commitment).ok_or("its commitment is no hash")?)
            }
            (None, None) => return Err("it has neither a salt nor a commitment"),
        };
        Ok(EventLine {
            event_id: self.event_id,
            log_id,
            event_type: self.event_type.as_str().into(),
            aggregate_type: self.aggregate_type.as_str().into(),
            aggregate_id: self.aggregate_id.as_str().into(),
            recorded_at: self.recorded_at,
            position: self.position,
            feed_id: self.feed_id,
            feed_seq: self.feed_seq,
            sequence: self.sequence,
            event_version: self.event_version.as_str().into(),
            metadata: self.metadata.as_str().into(),
            data: self.payload.as_str().into(),
            leaf: Hash::from_slice(&self.leaf).ok_or("its leaf is no hash")?,
            tie,
            skipped,
        })
    }
}

const COLUMNS: &str =
    "SELECT e.position, e.event_id, e.feed_id, e.feed_seq, e.aggregate_type, e.aggregate_id, e.sequence,
    e.event_type, e.event_version, e.recorded_at, e.payload::text AS payload, e.metadata::text AS metadata,
    l.hash AS leaf, l.salt, l.commitment ";

/// The first of these events, as many as fit into memory; at least one if there are any.
pub(super) async fn at(pool: &PgPool, positions: &[i64]) -> Result<Vec<EventRow>, sqlx::Error> {
    let statement = format!(
        "{COLUMNS} FROM unnest($1::bigint[]) WITH ORDINALITY AS w (position, ordinal)
         JOIN events e ON e.position = w.position JOIN log_leaves l ON l.position = w.position ORDER BY w.ordinal"
    );
    bounded(sqlx::query_as(&statement).bind(positions).fetch(pool)).await
}

/// The first of an unbroken range, up to `most`: the whole log is read without naming each position.
pub(super) async fn between(pool: &PgPool, after: i64, until: i64, most: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    let statement = format!(
        "{COLUMNS} FROM events e JOIN log_leaves l ON l.position = e.position
         WHERE e.position > $1 AND e.position <= $2 AND l.position > $1 AND l.position <= $2
         ORDER BY e.position LIMIT $3"
    );
    bounded(sqlx::query_as(&statement).bind(after).bind(until).bind(most).fetch(pool)).await
}

/// A tree over the leaves of some events, in their order.
pub(super) async fn tree_of(pool: &PgPool, positions: &[i64]) -> Result<Frontier, sqlx::Error> {
    let mut tree = Frontier::new();
    for some in positions.chunks(LEAVES) {
        let hashes: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT hash FROM log_leaves WHERE position = ANY($1) ORDER BY position")
                .bind(some)
                .fetch_all(pool)
                .await?;
        // A leaf that is none makes another root: whoever verifies it sees that.
        for hash in hashes {
            tree.push(Hash::from_slice(&hash).unwrap_or(Hash::EMPTY));
        }
    }
    Ok(tree)
}

/// The first of these events that was redacted behind `until`: after the export began, whose last event does not tell of it.
///
/// What nobody tells of is exported as it is: whoever verifies it says so.
pub(super) async fn redacted_since(pool: &PgPool, rows: &[EventRow], until: i64) -> Result<Option<i64>, sqlx::Error> {
    let redacted: Vec<i64> = rows.iter().filter(|row| row.salt.is_none()).map(|row| row.position).collect();
    if redacted.is_empty() {
        return Ok(None);
    }
    // By the index on redactions.
    sqlx::query_scalar(
        "SELECT w.position FROM unnest($1::bigint[]) AS w (position)
         WHERE EXISTS (
             SELECT FROM events e
             WHERE e.event_type = 'PayloadRedacted' AND (e.payload->>'position')::bigint = w.position AND e.position > $2)
         ORDER BY w.position LIMIT 1",
    )
    .bind(redacted)
    .bind(until)
    .fetch_optional(pool)
    .await
}

async fn bounded(
    mut rows: impl Stream<Item = Result<EventRow, sqlx::Error>> + Unpin,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let (mut bytes, mut page) = (0, Vec::new());
    while let Some(row) = rows.try_next().await? {
        bytes += row.payload.len() + row.metadata.len();
        page.push(row);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}
