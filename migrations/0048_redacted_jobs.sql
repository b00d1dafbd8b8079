-- Jobs and redaction: what a job prints or leaves is stored before the redaction, which deletes it, or not at all.

-- The exports of a project: their files show what was in its history.
CREATE INDEX events_exports ON events (feed_id)
    WHERE event_type = 'JobRequested' AND payload->>'job_type' = 'project_export';
-- Whether a feed was redacted behind a place.
CREATE INDEX events_redactions_of_feed ON events (feed_id, feed_seq) WHERE event_type = 'PayloadRedacted';
-- Which jobs were redacted of late.
CREATE INDEX events_redactions_of_jobs ON events (recorded_at)
    WHERE event_type = 'PayloadRedacted' AND aggregate_type = 'job';
-- The jobs of an organization that have been over for some time.
CREATE INDEX jobs_over_of_organization ON views.jobs (organization_id, completed_at)
    WHERE organization_id IS NOT NULL AND completed_at IS NOT NULL;

-- As before, but that something was redacted takes no job away.
CREATE OR REPLACE FUNCTION taken_jobs(worker uuid, jobs uuid[], attempts int[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT j.job
    FROM unnest(jobs, attempts) AS j (job, attempt)
    LEFT JOIN LATERAL (
        SELECT e.event_type, e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text AND e.event_type <> 'PayloadRedacted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS last ON true
    WHERE (last.event_type = 'JobStarted' AND (last.payload->>'attempt')::int = j.attempt
           AND (last.payload->>'worker_id')::uuid = worker) IS NOT TRUE
$$;

-- Keeps redactions in the feeds of these jobs away until the transaction ends; many may do so at once. A redaction takes the lock of
-- its one feed before all else. Here they are taken in ascending order, and before any row is locked: nobody waits in a circle.
CREATE FUNCTION keep_redactions_away(jobs uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7770019, f.place)
    FROM (
        SELECT DISTINCT hashtext(requested.feed_id::text) AS place
        FROM (SELECT DISTINCT unnest(jobs)) AS j (job)
        CROSS JOIN LATERAL (
            SELECT e.feed_id FROM events e
            WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text AND e.sequence = 1
            LIMIT 1
        ) AS requested
        ORDER BY 1
    ) AS f;
END $$;
REVOKE ALL ON FUNCTION keep_redactions_away FROM PUBLIC;

-- Which attempts are this worker's: it has started them, they were not taken up anew since, and nothing of the job was redacted
-- since. An attempt that starts behind the redaction knows nothing of the text.
CREATE FUNCTION own_attempts(worker uuid, jobs uuid[], attempts int[]) RETURNS TABLE (job uuid, attempt int, is_own boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT j.job, j.attempt,
           (last.event_type = 'JobStarted' AND (last.payload->>'attempt')::int = j.attempt
            AND (last.payload->>'worker_id')::uuid = worker) IS TRUE
    FROM (SELECT DISTINCT u.job, u.attempt FROM unnest(jobs, attempts) AS u (job, attempt)) AS j
    LEFT JOIN LATERAL (
        SELECT e.event_type, e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text
          AND e.event_type IN ('JobStarted', 'PayloadRedacted')
        ORDER BY e.sequence DESC LIMIT 1
    ) AS last ON true
$$;
REVOKE ALL ON FUNCTION own_attempts FROM PUBLIC;

-- Whether an attempt may leave files. An export whose project was redacted since the attempt started has read what must not be kept:
-- it is refused with an error, which is told from other errors by its code. If it were passed over like an attempt that comes too late,
-- the job would complete without its files.
CREATE FUNCTION may_leave_files(worker uuid, job uuid, running_attempt int) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM keep_redactions_away(ARRAY[job]);
    -- From here on, statements see what was committed before the lock was there.
    PERFORM FROM own_attempts(worker, ARRAY[job], ARRAY[running_attempt]) AS o WHERE o.is_own;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM events requested
    CROSS JOIN LATERAL (
        SELECT e.feed_seq FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = requested.aggregate_id AND e.event_type = 'JobStarted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS started
    WHERE requested.aggregate_type = 'job' AND requested.aggregate_id = job::text AND requested.sequence = 1
      AND requested.payload->>'job_type' = 'project_export'
      AND EXISTS (SELECT FROM events r
                  WHERE r.event_type = 'PayloadRedacted' AND r.feed_id = requested.feed_id AND r.feed_seq > started.feed_seq);
    IF FOUND THEN
        RAISE EXCEPTION 'what is exported was redacted since the attempt began' USING ERRCODE = 'WR003';
    END IF;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION may_leave_files FROM PUBLIC;

-- As before, but for what was redacted.
CREATE OR REPLACE FUNCTION store_job_output(
    worker uuid, jobs uuid[], attempts int[], seqs int[], streams text[], texts text[]
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    others uuid[];
BEGIN
    PERFORM keep_redactions_away(jobs);
    SELECT COALESCE(array_agg(DISTINCT o.job), '{}') INTO others
    FROM own_attempts(worker, jobs, attempts) AS o WHERE NOT o.is_own;
    INSERT INTO job_output_pieces (job_id, attempt, seq, stream, text)
    SELECT p.job, p.attempt, p.seq, p.stream, p.text
    FROM unnest(jobs, attempts, seqs, streams, texts) AS p (job, attempt, seq, stream, text)
    WHERE p.job <> ALL (others)
    ON CONFLICT (job_id, attempt, seq) DO NOTHING;
    RETURN others;
END $$;

CREATE OR REPLACE FUNCTION store_job_output(
    worker uuid, jobs uuid[], attempts int[], seqs int[], streams text[], texts text[], quota bigint,
    OUT others uuid[], OUT dropped uuid[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most     CONSTANT bigint := COALESCE(NULLIF(quota, 0), 9223372036854775807);
    too_much boolean;
BEGIN
    PERFORM keep_redactions_away(jobs);
    SELECT COALESCE(array_agg(DISTINCT o.job), '{}') INTO others
    FROM own_attempts(worker, jobs, attempts) AS o WHERE NOT o.is_own;
    LOOP
        BEGIN
            WITH piece AS (
                SELECT p.*, o.owner
                FROM unnest(jobs, attempts, seqs, streams, texts) WITH ORDINALITY
                     AS p (job, attempt, seq, stream, text, nth)
                JOIN job_owners(jobs) AS o ON o.job = p.job
                WHERE p.job <> ALL (others)
                  -- A worker that had no reply comes again.
                  AND NOT EXISTS (SELECT FROM job_output_pieces k
                                  WHERE k.job_id = p.job AND k.attempt = p.attempt AND k.seq = p.seq)
            ), measured AS (
                SELECT p.*, p.owner IS NULL OR COALESCE(s.bytes, 0)
                            + sum(octet_length(p.text)) OVER (PARTITION BY p.owner ORDER BY p.nth) <= most AS fits
                FROM piece p LEFT JOIN job_storage s ON s.owner = p.owner
            ), stored AS (
                INSERT INTO job_output_pieces AS k (job_id, attempt, seq, stream, text, owner)
                SELECT m.job, m.attempt, m.seq, m.stream, m.text, m.owner FROM measured m WHERE m.fits
                ON CONFLICT (job_id, attempt, seq) DO NOTHING
                RETURNING k.owner, octet_length(k.text) AS size
            ), counted AS (
                INSERT INTO job_storage AS s (owner, bytes)
                SELECT n.owner, sum(n.size) FROM stored n WHERE n.owner IS NOT NULL GROUP BY n.owner ORDER BY n.owner
                ON CONFLICT (owner) DO UPDATE SET bytes = s.bytes + excluded.bytes
                RETURNING s.bytes
            )
            SELECT COALESCE((SELECT array_agg(DISTINCT m.job) FROM measured m WHERE NOT m.fits), '{}'),
                   (SELECT max(c.bytes) > most FROM counted c)
            INTO dropped, too_much;
            IF too_much THEN
                RAISE EXCEPTION 'others have filled the quota' USING ERRCODE = 'WR001';
            END IF;
            RETURN;
        EXCEPTION WHEN SQLSTATE 'WR001' THEN
            NULL;
        END;
        PERFORM FROM job_storage s WHERE s.owner IN (SELECT o.owner FROM job_owners(jobs) AS o)
        ORDER BY s.owner FOR UPDATE OF s;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION store_job_artifacts(
    worker uuid, job uuid, running_attempt int, paths text[], contents bytea[]
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT may_leave_files(worker, job, running_attempt) THEN
        RETURN false;
    END IF;
    INSERT INTO job_artifacts (job_id, attempt, path, content)
    SELECT job, running_attempt, a.path, a.content FROM unnest(paths, contents) AS a (path, content)
    ON CONFLICT (job_id, attempt, path) DO NOTHING;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION store_job_artifacts(
    worker uuid, job uuid, running_attempt int, paths text[], contents bytea[], quota bigint
) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most      CONSTANT bigint := COALESCE(NULLIF(quota, 0), 9223372036854775807);
    job_owner uuid;
    dropped   int;
    too_much  boolean;
BEGIN
    IF NOT may_leave_files(worker, job, running_attempt) THEN
        RETURN NULL;
    END IF;
    SELECT o.owner INTO job_owner FROM job_owners(ARRAY[job]) AS o;
    LOOP
        BEGIN
            WITH measured AS (
                -- Not the contents themselves: they would be written to a temporary file.
                SELECT a.path, a.nth, job_owner IS NULL
                       OR COALESCE((SELECT s.bytes FROM job_storage s WHERE s.owner = job_owner), 0)
                          + sum(octet_length(contents[a.nth::int])) OVER (ORDER BY a.nth) <= most AS fits
                FROM unnest(paths) WITH ORDINALITY AS a (path, nth)
                WHERE NOT EXISTS (SELECT FROM job_artifacts k
                                  WHERE k.job_id = job AND k.attempt = running_attempt AND k.path = a.path)
            ), stored AS (
                INSERT INTO job_artifacts AS k (job_id, attempt, path, content, owner)
                SELECT job, running_attempt, m.path, contents[m.nth::int], job_owner FROM measured m WHERE m.fits
                ON CONFLICT (job_id, attempt, path) DO NOTHING
                RETURNING octet_length(k.content) AS size
            ), counted AS (
                INSERT INTO job_storage AS s (owner, bytes)
                SELECT job_owner, sum(n.size) FROM stored n WHERE job_owner IS NOT NULL HAVING count(*) > 0
                ON CONFLICT (owner) DO UPDATE SET bytes = s.bytes + excluded.bytes
                RETURNING s.bytes
            )
            SELECT (SELECT count(*) FROM measured m WHERE NOT m.fits),
                   (SELECT max(c.bytes) > most FROM counted c)
            INTO dropped, too_much;
            IF too_much THEN
                RAISE EXCEPTION 'others have filled the quota' USING ERRCODE = 'WR001';
            END IF;
            RETURN dropped;
        EXCEPTION WHEN SQLSTATE 'WR001' THEN
            NULL;
        END;
        PERFORM FROM job_storage s WHERE s.owner = job_owner FOR UPDATE;
    END LOOP;
END $$;

-- PL/pgSQL: the second statement sees what was committed before the lock was there.
CREATE OR REPLACE FUNCTION store_job_progress(worker uuid, jobs uuid[], attempts int[], percents float8[], messages text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM keep_redactions_away(jobs);
    INSERT INTO job_progress AS known (job_id, attempt, percent, message)
    SELECT DISTINCT ON (t.job) t.job, t.attempt, t.percent, t.message
    FROM unnest(jobs, attempts, percents, messages) WITH ORDINALITY AS t (job, attempt, percent, message, place)
    JOIN own_attempts(worker, jobs, attempts) AS o ON o.job = t.job AND o.attempt = t.attempt AND o.is_own
    ORDER BY t.job, t.place DESC
    ON CONFLICT (job_id) DO UPDATE
        SET attempt = EXCLUDED.attempt, percent = EXCLUDED.percent, message = EXCLUDED.message, at = now()
        -- Another worker may have begun the next attempt meanwhile.
        WHERE known.attempt <= EXCLUDED.attempt;
END $$;
