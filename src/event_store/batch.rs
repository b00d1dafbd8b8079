//! One batch: the requests that commit together, as the arrays that the append statement takes.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{AppendError, AppendRequest, Appended};

const APPEND: &str = "SELECT request, outcome, head FROM append_events(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";

/// Why a request cannot commit as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    Conflict,
    ReceiptExists,
}

impl From<Obstacle> for AppendError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Conflict => Self::Conflict,
            Obstacle::ReceiptExists => Self::ReceiptExists,
        }
    }
}

/// What the append statement did.
pub(super) enum Outcome {
    /// Everything is committed, after position `head`.
    Committed { head: i64 },
    /// Nothing is, because of these requests (by their number in the batch).
    Obstructed(Vec<(usize, Obstacle)>),
}

/// Decides which requests may share a batch. The statement checks expected sequences against what is committed, so a
/// request that writes or relies on an aggregate that the batch already writes must wait for the next one.
#[derive(Default)]
pub(super) struct Admission {
    written: HashSet<(&'static str, Uuid)>,
    receipts: HashSet<(Uuid, String)>,
    pub(super) events: usize,
}

impl Admission {
    pub(super) fn admits(&mut self, request: &AppendRequest) -> bool {
        let touches_written =
            request.expectations().any(|e| self.written.contains(&(e.aggregate_type, e.aggregate_id)));
        let receipt = request.receipt.as_ref().map(|r| (r.principal, r.key.clone()));
        if touches_written || receipt.as_ref().is_some_and(|receipt| self.receipts.contains(receipt)) {
            return false;
        }
        self.events += request.event_count();
        self.written.extend(request.streams.iter().map(|s| (s.expected.aggregate_type, s.expected.aggregate_id)));
        self.receipts.extend(receipt);
        true
    }
}

#[derive(Default)]
struct Columns<'a> {
    check_request: Vec<i32>,
    check_type: Vec<&'a str>,
    check_id: Vec<String>,
    check_sequence: Vec<i64>,
    event_id: Vec<Uuid>,
    feed_id: Vec<Uuid>,
    feed_offset: Vec<i32>,
    aggregate_type: Vec<&'a str>,
    aggregate_id: Vec<String>,
    sequence: Vec<i64>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    payload: Vec<&'a str>,
    metadata: Vec<&'a str>,
    receipt_request: Vec<i32>,
    principal: Vec<Uuid>,
    key: Vec<&'a str>,
    fingerprint: Vec<&'a [u8]>,
    status: Vec<i16>,
    headers: Vec<&'a str>,
    body: Vec<&'a str>,
    receipt_event_offset: Vec<i32>,
}

/// Counts are bounded by the batch size, far below `i32::MAX`.
fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl<'a> Columns<'a> {
    fn of(requests: impl Iterator<Item = &'a AppendRequest>) -> Self {
        let mut columns = Self::default();
        let mut feed_counts: HashMap<Uuid, i32> = HashMap::new();
        for (number, request) in requests.enumerate() {
            for expected in request.expectations() {
                columns.check_request.push(small(number));
                columns.check_type.push(expected.aggregate_type);
                columns.check_id.push(expected.aggregate_id.to_string());
                columns.check_sequence.push(expected.sequence);
            }
            for stream in &request.streams {
                let aggregate_id = stream.expected.aggregate_id.to_string();
                for (sequence, event) in (stream.expected.sequence + 1..).zip(&stream.events) {
                    let feed_count = feed_counts.entry(stream.feed_id).or_insert(0);
                    *feed_count += 1;
                    columns.event_id.push(event.event_id);
                    columns.feed_id.push(stream.feed_id);
                    columns.feed_offset.push(*feed_count);
                    columns.aggregate_type.push(stream.expected.aggregate_type);
                    columns.aggregate_id.push(aggregate_id.clone());
                    columns.sequence.push(sequence);
                    columns.event_type.push(&event.event_type);
                    columns.event_version.push(&event.event_version);
                    columns.payload.push(&event.payload);
                    columns.metadata.push(&event.metadata);
                }
            }
            if let Some(receipt) = &request.receipt {
                columns.receipt_request.push(small(number));
                columns.principal.push(receipt.principal);
                columns.key.push(&receipt.key);
                columns.fingerprint.push(&receipt.fingerprint);
                columns.status.push(i16::try_from(receipt.status).unwrap_or(i16::MAX));
                columns.headers.push(&receipt.headers);
                columns.body.push(&receipt.body);
                columns.receipt_event_offset.push(small(columns.event_id.len()));
            }
        }
        columns
    }
}

/// Runs the append statement over these requests.
pub(super) async fn append(
    connection: &mut PgConnection,
    requests: impl Iterator<Item = &AppendRequest>,
) -> Result<Outcome, sqlx::Error> {
    let columns = Columns::of(requests);
    let rows = sqlx::query(APPEND)
        .bind(columns.check_request)
        .bind(columns.check_type)
        .bind(columns.check_id)
        .bind(columns.check_sequence)
        .bind(columns.event_id)
        .bind(columns.feed_id)
        .bind(columns.feed_offset)
        .bind(columns.aggregate_type)
        .bind(columns.aggregate_id)
        .bind(columns.sequence)
        .bind(columns.event_type)
        .bind(columns.event_version)
        .bind(columns.payload)
        .bind(columns.metadata)
        .bind(columns.receipt_request)
        .bind(columns.principal)
        .bind(columns.key)
        .bind(columns.fingerprint)
        .bind(columns.status)
        .bind(columns.headers)
        .bind(columns.body)
        .bind(columns.receipt_event_offset)
        .fetch_all(connection)
        .await?;
    let mut obstacles = Vec::new();
    for row in rows {
        let request = usize::try_from(row.try_get::<i32, _>("request")?).unwrap_or_default();
        match row.try_get::<i32, _>("outcome")? {
            0 => return Ok(Outcome::Committed { head: row.try_get("head")? }),
            1 => obstacles.push((request, Obstacle::Conflict)),
            _ => obstacles.push((request, Obstacle::ReceiptExists)),
        }
    }
    Ok(Outcome::Obstructed(obstacles))
}

/// Runs the append statement for a single request, inside whatever transaction the connection is in.
pub(super) async fn append_one(
    connection: &mut PgConnection,
    request: &AppendRequest,
) -> Result<Appended, AppendError> {
    match append(connection, std::iter::once(request)).await.map_err(AppendError::Refused)? {
        Outcome::Committed { head } => Ok(Appended { position: head + i64::from(small(request.event_count())) }),
        Outcome::Obstructed(obstacles) => {
            Err(obstacles.first().map_or(AppendError::Conflict, |(_, obstacle)| (*obstacle).into()))
        }
    }
}

/// Which of these events are in the log, once nobody who might still be writing them holds the lock.
pub(super) async fn committed_position(
    connection: &mut PgConnection,
    first_event: Uuid,
) -> Result<Option<i64>, sqlx::Error> {
    let mut transaction = sqlx::Connection::begin(connection).await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7770001)").execute(&mut *transaction).await?;
    let position = sqlx::query_scalar("SELECT position FROM events WHERE event_id = $1")
        .bind(first_event)
        .fetch_optional(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_store::{Expected, NewEvent, StreamAppend};

    fn request(writes: &[u128], relies_on: &[u128]) -> AppendRequest {
        let expected =
            |id: &u128| Expected { aggregate_type: "thing", aggregate_id: Uuid::from_u128(*id), sequence: 0 };
        let event = NewEvent {
            event_id: Uuid::nil(),
            event_type: String::new(),
            event_version: String::new(),
            payload: String::new(),
            metadata: String::new(),
        };
        AppendRequest {
            streams: writes
                .iter()
                .map(|id| StreamAppend { expected: expected(id), feed_id: Uuid::nil(), events: vec![event.clone()] })
                .collect(),
            guards: relies_on.iter().map(expected).collect(),
            receipt: None,
        }
    }

    #[test]
    fn a_batch_admits_nobody_who_relies_on_what_it_writes() {
        let mut batch = Admission::default();
        assert!(batch.admits(&request(&[1], &[9])));
        assert!(batch.admits(&request(&[2], &[9])), "two may rely on one roster");
        assert!(!batch.admits(&request(&[1], &[])), "two may not write one aggregate");
        assert!(batch.admits(&request(&[9], &[])), "the roster may move after those who relied on it");
        assert!(!batch.admits(&request(&[3], &[9])), "nobody may rely on it after it moved");
        assert_eq!(batch.events, 3);
    }
}
