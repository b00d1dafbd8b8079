-- What redaction does with an event costs the same however long the histories of its aggregate and of its feed are. Some of it runs at
-- the end of the append, under the log's lock.

-- The contents that events of a file name. One hash of all that narrows, as in 0015: nothing else is left to walk.
CREATE INDEX events_contents ON events (hashtextextended(aggregate_id || (payload->>'sha256'), 0))
    WHERE event_type = 'FileContentWritten';

-- As before, but that the redaction is found by the index on redactions, whatever the planner believes of how long its stream is.
CREATE OR REPLACE FUNCTION insist_on_redaction() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM (
                       SELECT r.* FROM events r
                       WHERE r.event_type = 'PayloadRedacted' AND (r.payload->>'position')::bigint = NEW.position
                       OFFSET 0) AS r
                   WHERE r.position > NEW.position AND (r.payload->>'event_id')::uuid = NEW.event_id
                     AND r.feed_id = NEW.feed_id AND r.aggregate_type = NEW.aggregate_type AND r.aggregate_id = NEW.aggregate_id
                     AND r.payload->>'remains' = encode(sha256(convert_to(NEW.payload::text, 'UTF8')), 'hex'))
       OR NOT EXISTS (SELECT FROM log_leaves l WHERE l.position = NEW.position AND l.salt IS NULL) THEN
        RAISE EXCEPTION 'a payload is redacted together with an event that says so';
    END IF;
    RETURN NULL;
END $$;

-- Plans that are made while there are few events must not walk along all of them later.
ALTER FUNCTION insist_on_redacted_leaf() SET enable_seqscan = off;
ALTER FUNCTION refuse_change_of_payload() SET enable_seqscan = off;
ALTER FUNCTION redact_payload(bigint, uuid, text) SET enable_seqscan = off;

-- As before, but that no more is looked at than what is behind the snapshot.
CREATE OR REPLACE FUNCTION save_snapshot(its_type text, its_id text, its_sequence bigint, its_shape int, its_state json) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    -- One at a time with forget_snapshot. The statements behind it see what was committed before.
    PERFORM pg_advisory_xact_lock(7770018, hashtext(its_id));
    INSERT INTO aggregate_snapshots AS s (aggregate_type, aggregate_id, sequence, shape, state)
    SELECT its_type, its_id, its_sequence, its_shape, its_state
    WHERE NOT EXISTS (SELECT FROM (
                          SELECT e.event_type FROM events e
                          WHERE e.aggregate_type = its_type AND e.aggregate_id = its_id AND e.sequence > its_sequence
                          OFFSET 0) AS later
                      WHERE later.event_type = 'PayloadRedacted')
    ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
        SET (sequence, shape, state) = (excluded.sequence, excluded.shape, excluded.state)
        WHERE s.sequence < excluded.sequence OR s.shape <> excluded.shape;
END $$;
