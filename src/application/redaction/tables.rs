//! What goes beside the log when events are redacted: in the append's own statement, so that a text is nowhere while the log says
//! that it is gone, and the other way round.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::redaction::refusal::ALREADY_REDACTED;

use super::{redact::RedactEvents, target::Target};
use crate::application::{Change, Error, TableChange, jobs::delete_job_data};

#[derive(Serialize)]
struct Arguments<'a> {
    feed_id: Uuid,
    aggregate_type: &'a str,
    aggregate_id: Uuid,
    /// The first of them.
    feed_seq: i64,
    /// Ascending.
    positions: Vec<i64>,
    /// Up to this sequence, replies to commands that changed the aggregate need not be looked at.
    replies_gone_to: i64,
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

/// The jobs of the feed whose exports may be there: `exported`. Those from before the last redaction in the feed are gone, and an attempt
/// that had begun by then leaves none: so there are few, unless many jobs began since.
macro_rules! exported {
    () => {
        "started AS MATERIALIZED (
             SELECT s.aggregate_id FROM events s
             WHERE uuid_hash_extended(s.feed_id, hashtextextended(s.event_type, 0))
                     = uuid_hash_extended(($1->>'feed_id')::uuid, hashtextextended('JobStarted', 0))
               AND s.feed_seq > COALESCE((SELECT r.feed_seq FROM events r
                                          WHERE r.event_type = 'PayloadRedacted' AND r.feed_id = ($1->>'feed_id')::uuid
                                          ORDER BY r.feed_seq DESC LIMIT 1), 0)
             LIMIT 1001
         ), exported AS MATERIALIZED (
             SELECT s.aggregate_id::uuid AS job_id FROM started s
             WHERE (SELECT count(*) FROM started) <= 1000
               AND EXISTS (SELECT FROM events e
                           WHERE e.aggregate_type = 'job' AND e.aggregate_id = s.aggregate_id AND e.sequence = 1
                             AND e.payload->>'job_type' = 'project_export' OFFSET 0)
             UNION ALL
             SELECT e.aggregate_id::uuid FROM events e
             WHERE e.feed_id = ($1->>'feed_id')::uuid AND e.event_type = 'JobRequested'
               AND e.payload->>'job_type' = 'project_export' AND (SELECT count(*) FROM started) > 1000
         )"
    };
}

/// What exports of the project left, which were made by jobs: they show what was in its history.
const EXPORTS: &str = concat!(
    "WITH ",
    exported!(),
    " DELETE FROM job_artifacts WHERE job_id = ANY (ARRAY(SELECT x.job_id FROM exported x))"
);

/// What a job works on, prints and leaves, and [`EXPORTS`].
const JOB: &str = concat!(
    "WITH ",
    exported!(),
    ", ",
    delete_job_data!(
        "job_id = ($1->>'aggregate_id')::uuid",
        "job_id = ANY (ARRAY(SELECT x.job_id FROM exported x UNION ALL SELECT ($1->>'aggregate_id')::uuid))"
    )
);

/// What the jobs of a schedule work on, if it has that from these events: it has no more than one.
const SCHEDULE: &str = "DELETE FROM schedule_inputs WHERE schedule_id = ($1->>'aggregate_id')::uuid";

/// What was in a file, if these events name it, and no other. An index has the contents that events name: OFFSET keeps to it, and to
/// one event after the other.
const FILE: &str = "
    DELETE FROM file_contents c
    WHERE c.file_id = ($1->>'aggregate_id')::uuid
      AND c.sha256 = ANY (ARRAY(
          SELECT decode(named.sha256, 'hex') FROM jsonb_array_elements_text($1->'positions') AS p (place)
          CROSS JOIN LATERAL (
              SELECT e.payload->>'sha256' AS sha256 FROM events e
              WHERE e.position = p.place::bigint AND e.event_type = 'FileContentWritten' OFFSET 0) AS named))
      AND NOT EXISTS (
          SELECT FROM events o
          WHERE o.event_type = 'FileContentWritten'
            AND hashtextextended(o.aggregate_id || (o.payload->>'sha256'), 0)
                  = hashtextextended(($1->>'aggregate_id') || encode(c.sha256, 'hex'), 0)
            AND o.position <> ALL (ARRAY(
                SELECT p.place::bigint FROM jsonb_array_elements_text($1->'positions') AS p (place)))
          OFFSET 0)";

/// Replies that may show a text: to commands that changed its aggregate since, and to the request that brought it, whose last event may
/// be of another aggregate: then it is within as many events as a request with texts appends. A reply to a redaction shows none, and
/// stays for who asks again. Each reply that is near is looked at once, by its event: OFFSET keeps to that.
const RECEIPTS: &str = "
    WITH brought AS MATERIALIZED (
        SELECT e.position, e.metadata->>'correlation_id' AS request, e.metadata->>'actor' AS actor
        FROM jsonb_array_elements_text($1->'positions') AS p (place)
        CROSS JOIN LATERAL (SELECT b.position, b.metadata FROM events b WHERE b.position = p.place::bigint OFFSET 0) AS e
    ), places AS MATERIALIZED (
        SELECT unnest(range_agg(int8range(b.position, b.position + 1001))) AS near FROM brought b
    ), replies AS MATERIALIZED (
        SELECT k.position, l.metadata->>'correlation_id' AS request, l.metadata->>'actor' AS actor
        FROM places s
        JOIN idempotency_receipts k ON k.position >= lower(s.near) AND k.position < upper(s.near)
        CROSS JOIN LATERAL (SELECT e.metadata FROM events e WHERE e.position = k.position OFFSET 0) AS l
    )
    DELETE FROM idempotency_receipts r
    WHERE r.position = ANY (ARRAY(
        SELECT o.position FROM events o
        WHERE o.aggregate_type = $1->>'aggregate_type' AND o.aggregate_id = $1->>'aggregate_id'
          AND o.sequence > ($1->>'replies_gone_to')::bigint AND o.recorded_at > now() - interval '2 days'
          AND o.event_type <> 'PayloadRedacted'
        UNION ALL
        SELECT k.position FROM replies k
        JOIN brought b ON b.request = k.request AND b.actor = k.actor
                      AND k.position BETWEEN b.position AND b.position + 1000))";

/// Takes the payloads out of the log, and out of the tables that have something of them.
impl TableChange for RedactEvents<'_> {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let Some(first) = self.targets.first().filter(|_| !self.is_empty()) else { return Ok(Vec::new()) };
        let found = self.found();
        let arguments = Arguments {
            feed_id: first.feed_id,
            aggregate_type: &first.aggregate_type,
            aggregate_id: first.aggregate_id,
            feed_seq: first.feed_seq,
            positions: self.targets.iter().map(|target| target.position).collect(),
            replies_gone_to: found.replies_gone_to,
            targets: self.targets.iter().filter_map(Argument::of).collect(),
        };
        let statement = |sql| Change::new(sql, &arguments);
        let mut changes = Vec::new();
        // What jobs of this feed print and leave is stored before, or not at all.
        changes.push(statement("SELECT pg_advisory_xact_lock(7770019, hashtext($1->>'feed_id'))")?);
        changes.push(statement(RECEIPTS)?);
        // These read the payloads, which go last.
        match first.aggregate_type.as_str() {
            "job" if first.sequence == 1 => changes.push(statement(JOB)?),
            "schedule" if !found.keeps_input => changes.extend([statement(EXPORTS)?, statement(SCHEDULE)?]),
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
        self.targets.is_empty() || self.targets.iter().any(|target| target.remains.is_none())
    }
}
