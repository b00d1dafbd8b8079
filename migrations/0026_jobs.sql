-- Jobs, second version: inputs beside the log, output in pieces, and a heartbeat for each worker instead of a lease for each job.

ALTER TABLE views.jobs
    ALTER COLUMN language DROP NOT NULL,
    ALTER COLUMN timeout_seconds DROP NOT NULL,
    ADD COLUMN organization_id uuid,
    ADD COLUMN priority        int     NOT NULL DEFAULT 3,
    ADD COLUMN run_at          timestamptz,
    ADD COLUMN key             text,
    ADD COLUMN fairness_key    text,
    ADD COLUMN worker_id       uuid,
    ADD COLUMN uncounted       int     NOT NULL DEFAULT 0,
    ADD COLUMN cancel_reason   text;
-- Who hands out jobs keeps all that wait or run in memory, and reads them when it begins.
DROP INDEX views.jobs_due;
DROP INDEX views.jobs_running;
CREATE INDEX jobs_open ON views.jobs (id) WHERE status IN ('pending', 'running');
-- How many jobs wait, for each whom that is limited for.
CREATE INDEX jobs_open_of_organization ON views.jobs (organization_id) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_open_of_account ON views.jobs (submitted_by) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_open_of_project ON views.jobs (project_id) WHERE status IN ('pending', 'running');

-- What a job works on: a program, what it reads, its arguments and environment. The event names it by its digest.
CREATE TABLE job_inputs (
    job_id     uuid        PRIMARY KEY,
    sha256     bytea       NOT NULL,
    content    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What jobs print, piece by piece, in the order in which it came.
CREATE TABLE job_output_pieces (
    job_id     uuid        NOT NULL,
    attempt    int         NOT NULL,
    seq        int         NOT NULL,
    stream     text        NOT NULL CHECK (stream IN ('stdout', 'stderr')),
    text       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, attempt, seq)
);
INSERT INTO job_output_pieces (job_id, attempt, seq, stream, text, created_at)
    SELECT job_id, attempt, seq, stream, text, created_at FROM (
        SELECT job_id, attempt, 1 AS seq, 'stdout' AS stream, stdout AS text, created_at FROM job_outputs
        UNION ALL
        SELECT job_id, attempt, 2, 'stderr', stderr, created_at FROM job_outputs
    ) AS piece WHERE text <> '';
DROP FUNCTION store_job_output;
DROP TABLE job_outputs;

-- Who runs jobs. A worker says that it lives by raising `beat`; a row that is gone has been given up, and its worker begins anew
-- under another id.
CREATE TABLE workers (
    id            uuid        PRIMARY KEY,
    beat          bigint      NOT NULL DEFAULT 0,
    sandbox_slots int         NOT NULL,
    service_slots int         NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    beat_at       timestamptz NOT NULL DEFAULT now()
);
DROP TABLE job_leases;
DROP TABLE job_dispatches;
DELETE FROM relay_checkpoints WHERE stream = 'JOBS';

-- Keeps what programs have printed, piece by piece, of attempts that this worker has started and that were not taken up anew
-- since; tells which these are not.
CREATE FUNCTION store_job_output(
    worker uuid, jobs uuid[], attempts int[], seqs int[], streams text[], texts text[]
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    others uuid[];
BEGIN
    SELECT COALESCE(array_agg(DISTINCT j.job), '{}') INTO others
    FROM unnest(jobs, attempts) AS j (job, attempt)
    LEFT JOIN LATERAL (
        SELECT e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text AND e.event_type = 'JobStarted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS started ON true
    WHERE ((started.payload->>'attempt')::int = j.attempt AND (started.payload->>'worker_id')::uuid = worker) IS NOT TRUE;
    INSERT INTO job_output_pieces (job_id, attempt, seq, stream, text)
    SELECT p.job, p.attempt, p.seq, p.stream, p.text
    FROM unnest(jobs, attempts, seqs, streams, texts) AS p (job, attempt, seq, stream, text)
    WHERE p.job <> ALL (others)
    ON CONFLICT (job_id, attempt, seq) DO NOTHING;
    RETURN others;
END $$;
REVOKE ALL ON FUNCTION store_job_output FROM PUBLIC;

-- What a worker runs that is no longer its own: cancelled, taken away, or over.
CREATE FUNCTION taken_jobs(worker uuid, jobs uuid[], attempts int[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT j.job
    FROM unnest(jobs, attempts) AS j (job, attempt)
    LEFT JOIN LATERAL (
        SELECT e.event_type, e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text
        ORDER BY e.sequence DESC LIMIT 1
    ) AS last ON true
    WHERE (last.event_type = 'JobStarted' AND (last.payload->>'attempt')::int = j.attempt
           AND (last.payload->>'worker_id')::uuid = worker) IS NOT TRUE
$$;
REVOKE ALL ON FUNCTION taken_jobs FROM PUBLIC;

-- As before, with the events that workers tell of since.
CREATE OR REPLACE FUNCTION workers.append_batch(
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
        AND n.event IN ('JobStarted', 'JobSucceeded', 'JobAttemptFailed', 'JobInterrupted', 'JobSnoozed', 'JobDeadLettered')
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
