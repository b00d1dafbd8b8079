-- The event log: the one source of truth. See docs/architecture.md, "The event log".

CREATE TABLE events (
    position       bigint      PRIMARY KEY,
    event_id       uuid        NOT NULL UNIQUE,
    feed_id        uuid        NOT NULL,
    feed_seq       bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL,
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- json, not jsonb: the stored bytes are the bytes that were decided, and later the bytes that are hashed.
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT events_stream UNIQUE (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_feed UNIQUE (feed_id, feed_seq),
    CONSTRAINT events_counted CHECK (position > 0 AND feed_seq > 0 AND sequence > 0)
);

-- History is never changed (law 3), not even by a slip of the hand in psql.
CREATE FUNCTION refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or deleted';
END $$;

CREATE TRIGGER events_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();

-- Which history this is. A restore from a backup begins another epoch, so that readers who saw the lost future can tell.
CREATE TABLE log_epoch (
    only_row   boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch      uuid        NOT NULL DEFAULT gen_random_uuid(),
    started_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO log_epoch DEFAULT VALUES;

-- Replies of commands that carried an Idempotency-Key, committed together with the command's events.
CREATE TABLE idempotency_receipts (
    principal   uuid        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    headers     json        NOT NULL,
    body        text        NOT NULL,
    position    bigint      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_receipts_age ON idempotency_receipts (created_at);

-- Shortcuts to an aggregate's state. Losing this table loses nothing.
CREATE TABLE aggregate_snapshots (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    sequence       bigint NOT NULL,
    shape          int    NOT NULL,
    state          json   NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);

-- Appends one batch. Everything is inserted, or nothing is and the rows returned say which requests were in the way:
--   outcome 0: committed; `head` is the position before the batch.
--   outcome 1: an aggregate that `request` writes or relies on is no longer at the sequence expected.
--   outcome 2: the receipt of `request` exists: the command was answered before.
-- PL/pgSQL, because each statement inside takes its own snapshot: the head is read after the lock is held. One plain
-- statement that takes the lock would read the head as it was before it waited.
CREATE FUNCTION append_events(
    check_request          int[],
    check_type             text[],
    check_id               text[],
    check_sequence         bigint[],
    event_ids              uuid[],
    event_feeds            uuid[],
    event_feed_offsets     int[],
    event_aggregate_types  text[],
    event_aggregate_ids    text[],
    event_sequences        bigint[],
    event_types            text[],
    event_versions         text[],
    event_payloads         text[],
    event_metadata         text[],
    receipt_request        int[],
    receipt_principals     uuid[],
    receipt_keys           text[],
    receipt_fingerprints   bytea[],
    receipt_statuses       smallint[],
    receipt_headers        text[],
    receipt_bodies         text[],
    receipt_event_offsets  int[]
) RETURNS TABLE (request int, outcome int, head bigint) LANGUAGE plpgsql AS $$
DECLARE
    last_position bigint;
    last_time     timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(7770001);

    RETURN QUERY
        SELECT DISTINCT c.request, 1, 0::bigint
        FROM unnest(check_request, check_type, check_id, check_sequence) AS c (request, type, id, expected)
        WHERE c.expected <> COALESCE((
            SELECT e.sequence FROM events e
            WHERE e.aggregate_type = c.type AND e.aggregate_id = c.id
            ORDER BY e.sequence DESC LIMIT 1), 0);
    IF FOUND THEN
        RETURN;
    END IF;

    IF cardinality(receipt_request) > 0 THEN
        RETURN QUERY
            SELECT r.request, 2, 0::bigint
            FROM unnest(receipt_request, receipt_principals, receipt_keys) AS r (request, principal, key)
            JOIN idempotency_receipts k ON k.principal = r.principal AND k.key = r.key
            WHERE k.created_at > now() - interval '24 hours';
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    SELECT e.position, e.recorded_at INTO last_position, last_time FROM events e ORDER BY e.position DESC LIMIT 1;
    last_position := COALESCE(last_position, 0);

    INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence,
                        event_type, event_version, payload, metadata, recorded_at)
    SELECT last_position + n.ordinal, n.event_id, n.feed,
           n.feed_offset + COALESCE((
               SELECT e.feed_seq FROM events e WHERE e.feed_id = n.feed ORDER BY e.feed_seq DESC LIMIT 1), 0),
           n.aggregate_type, n.aggregate_id, n.sequence, n.event_type, n.event_version,
           n.payload::json, n.metadata::json,
           -- Time never runs backwards along the log, whatever the clock does.
           GREATEST(clock_timestamp(), last_time)
    FROM unnest(event_ids, event_feeds, event_feed_offsets, event_aggregate_types, event_aggregate_ids,
                event_sequences, event_types, event_versions, event_payloads, event_metadata)
         WITH ORDINALITY AS n (event_id, feed, feed_offset, aggregate_type, aggregate_id,
                               sequence, event_type, event_version, payload, metadata, ordinal);

    IF cardinality(receipt_request) > 0 THEN
        INSERT INTO idempotency_receipts AS k
            (principal, key, fingerprint, status, headers, body, position)
        SELECT r.principal, r.key, r.fingerprint, r.status, r.headers::json, r.body, last_position + r.event_offset
        FROM unnest(receipt_principals, receipt_keys, receipt_fingerprints, receipt_statuses, receipt_headers,
                    receipt_bodies, receipt_event_offsets)
             AS r (principal, key, fingerprint, status, headers, body, event_offset)
        ON CONFLICT (principal, key) DO UPDATE
            SET (fingerprint, status, headers, body, position, created_at) =
                (excluded.fingerprint, excluded.status, excluded.headers, excluded.body, excluded.position, now());
    END IF;

    RETURN QUERY SELECT 0, 0, last_position;
END $$;
