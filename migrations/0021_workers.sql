-- What a process that only runs jobs may see and do, for a role that has nothing but this (docs/operations.md, "Roles in Postgres").
--
-- A session whose role may not read the log finds in this schema, under the same names, what it may (projections/src/session.rs):
-- so the code is the same for all. What is here runs with the rights of the schema's owner.
CREATE SCHEMA workers;

-- The log as workers see it: where every event is, and what jobs were told.
CREATE VIEW workers.events AS
    SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type, event_version,
           CASE WHEN aggregate_type = 'job' THEN payload END AS payload,
           CASE WHEN aggregate_type = 'job' THEN metadata END AS metadata,
           recorded_at
    FROM events;

CREATE VIEW workers.aggregate_snapshots AS
    SELECT aggregate_type, aggregate_id, sequence, shape, state FROM aggregate_snapshots WHERE aggregate_type = 'job';

-- Appends what a worker tells of jobs that were requested, and nothing else. What the caller claims to remember is not believed: all
-- is looked up under the log's lock. That each job is where the caller takes it to be is one of the checks, and each event follows
-- on the one before; so neither jobs nor feeds get a hole.
CREATE FUNCTION workers.append_batch(
    known_incarnation      text,
    known_epoch            uuid,
    known_head             bigint,
    known_checks           int,
    check_types            text[],
    check_ids              text[],
    check_sequences        bigint[],
    feed_ids               uuid[],
    feed_places            bigint[],
    event_ids              uuid[],
    event_feeds            int[],
    event_feed_offsets     int[],
    event_aggregate_types  text[],
    event_aggregate_ids    text[],
    event_sequences        bigint[],
    event_types            text[],
    event_versions         text[],
    event_payloads         text[],
    event_metadata         text[],
    receipt_principals     uuid[],
    receipt_keys           text[],
    receipt_fingerprints   bytea[],
    receipt_statuses       smallint[],
    receipt_headers        text[],
    receipt_bodies         text[],
    receipt_event_offsets  int[]
) RETURNS TABLE (outcome int, head bigint, recorded_at timestamptz, items int[], places bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(receipt_keys) > 0 THEN
        RAISE EXCEPTION 'a worker answers no commands' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM
    FROM (
        SELECT e.*,
               row_number() OVER (PARTITION BY e.feed ORDER BY e.ordinal) AS nth_of_feed,
               row_number() OVER (PARTITION BY e.id ORDER BY e.ordinal) AS nth_of_job
        FROM unnest(event_aggregate_types, event_aggregate_ids, event_sequences, event_types, event_metadata, event_feeds,
                    event_feed_offsets) WITH ORDINALITY AS e (type, id, sequence, event, metadata, feed, feed_offset, ordinal)
    ) AS n
    LEFT JOIN unnest(check_types, check_ids, check_sequences) AS c (type, id, sequence)
        ON c.type = 'job' AND c.id = n.id AND c.sequence > 0
    LEFT JOIN events requested
        ON requested.aggregate_type = 'job' AND requested.aggregate_id = n.id AND requested.sequence = 1
    WHERE (
        n.type = 'job'
        AND n.event IN ('JobStarted', 'JobSucceeded', 'JobAttemptFailed', 'JobDeadLettered')
        AND n.metadata::json->>'actor' = 'system:worker'
        AND n.sequence = c.sequence + n.nth_of_job
        AND n.feed_offset = n.nth_of_feed
        AND feed_ids[n.feed] = requested.feed_id
    ) IS NOT TRUE;
    IF FOUND THEN
        RAISE EXCEPTION 'a worker appends nothing but the progress of jobs' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY SELECT a.outcome, a.head, a.recorded_at, a.items, a.places FROM public.append_batch(
        known_incarnation, known_epoch, -1, 0, check_types, check_ids, check_sequences, feed_ids,
        array_fill(-1::bigint, ARRAY[cardinality(feed_ids)]), event_ids, event_feeds, event_feed_offsets, event_aggregate_types,
        event_aggregate_ids, event_sequences, event_types, event_versions, event_payloads, event_metadata, receipt_principals,
        receipt_keys, receipt_fingerprints, receipt_statuses, receipt_headers, receipt_bodies, receipt_event_offsets) AS a;
END $$;
REVOKE ALL ON FUNCTION workers.append_batch FROM PUBLIC;

-- Keeps what a program has printed, while the log says that this attempt runs; false when it does not.
CREATE FUNCTION store_job_output(job uuid, running_attempt int, printed text, complained text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM (
        SELECT e.event_type, e.payload FROM events e WHERE e.aggregate_type = 'job' AND e.aggregate_id = job::text
        ORDER BY e.sequence DESC LIMIT 1
    ) AS last
    WHERE last.event_type = 'JobStarted' AND (last.payload->>'attempt')::int = running_attempt;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO job_outputs (job_id, attempt, stdout, stderr) VALUES (job, running_attempt, printed, complained)
    ON CONFLICT (job_id, attempt) DO UPDATE SET (stdout, stderr) = (excluded.stdout, excluded.stderr);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION store_job_output FROM PUBLIC;
