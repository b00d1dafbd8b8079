//! What goes beside the log when events are redacted: in the append's own statement, so that a text is nowhere while the log says
//! that it is gone, and the other way round.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::redaction::refusal::ALREADY_REDACTED;

use super::target::Target;
use crate::application::{Change, Error, TableChange};

/// Takes the payloads of events of one aggregate out of the log, and out of the tables that have something of them.
pub(super) struct RedactRows<'a>(pub(super) &'a [Target]);

#[derive(Serialize)]
struct Arguments<'a> {
    feed_id: Uuid,
    aggregate_type: &'a str,
    aggregate_id: Uuid,
    /// The first of them.
    feed_seq: i64,
    /// Ascending.
    positions: Vec<i64>,
    targets: Vec<Argument<'a>>,
}

#[derive(Serialize)]
struct Argument<'a> {
    position: i64,
    event_id: Uuid,
    remains: &'a str,
}

impl<'a> Argument<'a> {
    fn of(target: &'a Target) -> Option<Self> {
        let remains = target.remains.as_deref()?;
        Some(Self { position: target.position, event_id: target.event_id, remains })
    }
}

/// What a job works on, prints and leaves, and [`EXPORTS`]. One statement: what is counted of its owner is locked behind the rows that are counted.
const JOB: &str = "
    WITH inputs AS (DELETE FROM job_inputs WHERE job_id = ($1->>'aggregate_id')::uuid),
         pieces AS (DELETE FROM job_output_pieces WHERE job_id = ($1->>'aggregate_id')::uuid),
         progress AS (DELETE FROM job_progress WHERE job_id = ($1->>'aggregate_id')::uuid)
    DELETE FROM job_artifacts WHERE job_id = ANY (ARRAY(
        SELECT e.aggregate_id::uuid FROM events e WHERE e.feed_id = ($1->>'feed_id')::uuid
          AND e.event_type = 'JobRequested' AND e.payload->>'job_type' = 'project_export'
        UNION ALL SELECT ($1->>'aggregate_id')::uuid))";

/// What the jobs of a schedule work on, if these events name it, and no other.
const SCHEDULE: &str = "
    DELETE FROM schedule_inputs i
    USING (SELECT array_agg(p::bigint) AS positions FROM jsonb_array_elements_text($1->'positions') AS p) AS a
    WHERE i.schedule_id = ($1->>'aggregate_id')::uuid
      AND EXISTS (SELECT FROM events e WHERE e.position = ANY(a.positions)
                  AND strpos(e.payload::text, encode(i.sha256, 'hex')) > 0)
      AND NOT EXISTS (SELECT FROM events o WHERE o.aggregate_type = 'schedule' AND o.aggregate_id = $1->>'aggregate_id'
                      AND o.position <> ALL(a.positions) AND strpos(o.payload::text, encode(i.sha256, 'hex')) > 0)";

/// What was in a file, if these events name it, and no other.
const FILE: &str = "
    DELETE FROM file_contents c
    USING (SELECT array_agg(p::bigint) AS positions FROM jsonb_array_elements_text($1->'positions') AS p) AS a
    WHERE c.file_id = ($1->>'aggregate_id')::uuid
      AND EXISTS (SELECT FROM events e WHERE e.position = ANY(a.positions)
                  AND strpos(e.payload::text, encode(c.sha256, 'hex')) > 0)
      AND NOT EXISTS (SELECT FROM events o WHERE o.aggregate_type = 'file' AND o.aggregate_id = $1->>'aggregate_id'
                      AND o.position <> ALL(a.positions) AND strpos(o.payload::text, encode(c.sha256, 'hex')) > 0)";

/// Replies that may show a text: to commands that changed its aggregate since, and to the request that brought it, whose last event may
/// be of another aggregate: then it is within as many events as a request with texts appends. A reply to a redaction shows none, and
/// stays for who asks again.
const RECEIPTS: &str = "
    DELETE FROM idempotency_receipts r
    WHERE r.position IN (
        SELECT o.position FROM events o
        WHERE o.aggregate_type = $1->>'aggregate_type' AND o.aggregate_id = $1->>'aggregate_id'
          AND o.position >= ($1->'positions'->>0)::bigint AND o.recorded_at > now() - interval '2 days'
          AND o.event_type <> 'PayloadRedacted'
        UNION ALL
        SELECT k.position FROM jsonb_array_elements_text($1->'positions') AS p
        JOIN events e ON e.position = p::bigint
        JOIN idempotency_receipts k ON k.position BETWEEN e.position AND e.position + 1000
        JOIN events l ON l.position = k.position
        WHERE l.metadata->>'correlation_id' = e.metadata->>'correlation_id' AND l.metadata->>'actor' = e.metadata->>'actor')";

/// What exports of the project left, which were made by jobs: they show what was in its history.
const EXPORTS: &str = "
    DELETE FROM job_artifacts WHERE job_id = ANY (ARRAY(
        SELECT e.aggregate_id::uuid FROM events e WHERE e.feed_id = ($1->>'feed_id')::uuid
          AND e.event_type = 'JobRequested' AND e.payload->>'job_type' = 'project_export'))";

impl TableChange for RedactRows<'_> {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let Some(first) = self.0.first().filter(|_| !self.is_empty()) else { return Ok(Vec::new()) };
        let arguments = Arguments {
            feed_id: first.feed_id,
            aggregate_type: &first.aggregate_type,
            aggregate_id: first.aggregate_id,
            feed_seq: first.feed_seq,
            positions: self.0.iter().map(|target| target.position).collect(),
            targets: self.0.iter().filter_map(Argument::of).collect(),
        };
        let statement = |sql| Change::new(sql, &arguments);
        let mut changes = Vec::new();
        // What jobs of this feed print and leave is stored before, or not at all.
        changes.push(statement("SELECT pg_advisory_xact_lock(7770019, hashtext($1->>'feed_id'))")?);
        changes.push(statement(RECEIPTS)?);
        // These read the payloads, which go last.
        match first.aggregate_type.as_str() {
            "job" if first.sequence == 1 => changes.push(statement(JOB)?),
            "schedule" => changes.extend([statement(EXPORTS)?, statement(SCHEDULE)?]),
            "file" => changes.extend([statement(EXPORTS)?, statement(FILE)?]),
            _ => changes.push(statement(EXPORTS)?),
        }
        changes.push(statement("SELECT forget_snapshot($1->>'aggregate_type', $1->>'aggregate_id')")?);
        // Of a feed that is no project's there are none.
        changes.push(statement("SELECT forget_project_states(($1->>'feed_id')::uuid, ($1->>'feed_seq')::bigint)")?);
        let redact = statement(
            "SELECT FROM (SELECT bool_and(redact_payload(a.position, a.event_id, a.remains)) AS is_done
                          FROM jsonb_to_recordset($1->'targets') AS a (position bigint, event_id uuid, remains text)) AS all_of_them
             WHERE is_done",
        )?;
        changes.push(redact.or(|| ALREADY_REDACTED.into()));
        Ok(changes)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|target| target.remains.is_none())
    }
}
