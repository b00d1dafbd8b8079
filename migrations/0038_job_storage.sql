-- A quota for what jobs print and leave.

-- How many bytes are kept of each owner: the organization of a job's project, else the account that submitted the job.
CREATE TABLE job_storage (
    owner uuid   PRIMARY KEY,
    bytes bigint NOT NULL
);
-- Rows without an owner are not counted: those from before, and those of workers of the version before.
ALTER TABLE job_output_pieces ADD COLUMN owner uuid;
ALTER TABLE job_artifacts ADD COLUMN owner uuid;

-- What is deleted makes room, whoever deletes it. Rows of owners are locked in the order of their ids, here as below.
CREATE FUNCTION subtract_job_output() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO job_storage AS s (owner, bytes)
    SELECT d.owner, -sum(octet_length(d.text))
    FROM deleted d WHERE d.owner IS NOT NULL GROUP BY d.owner ORDER BY d.owner
    ON CONFLICT (owner) DO UPDATE SET bytes = s.bytes + excluded.bytes;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION subtract_job_output FROM PUBLIC;
CREATE TRIGGER job_output_makes_room AFTER DELETE ON job_output_pieces REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION subtract_job_output();

CREATE FUNCTION subtract_job_artifacts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO job_storage AS s (owner, bytes)
    SELECT d.owner, -sum(octet_length(d.content))
    FROM deleted d WHERE d.owner IS NOT NULL GROUP BY d.owner ORDER BY d.owner
    ON CONFLICT (owner) DO UPDATE SET bytes = s.bytes + excluded.bytes;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION subtract_job_artifacts FROM PUBLIC;
CREATE TRIGGER job_artifacts_make_room AFTER DELETE ON job_artifacts REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION subtract_job_artifacts();

-- Whose jobs these are.
CREATE FUNCTION job_owners(jobs uuid[]) RETURNS TABLE (job uuid, owner uuid)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT j.job, requested.owner
    FROM (SELECT DISTINCT unnest(jobs)) AS j (job)
    LEFT JOIN LATERAL (
        SELECT COALESCE(e.payload->>'organization_id', e.payload->>'submitted_by')::uuid AS owner FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text AND e.sequence = 1
        LIMIT 1
    ) AS requested ON true
$$;
REVOKE ALL ON FUNCTION job_owners FROM PUBLIC;

-- Both functions below store first and count last, in one statement. So the row of an owner, which all workers that run
-- its jobs want, is locked only until the commit that follows. What fits is therefore found before the lock. When
-- others have filled the quota meanwhile, all is undone, and done again with the lock.

-- As the function without a quota (0: none). What does not fit any more is not stored: `dropped` names the jobs that
-- have lost some. Of each job the beginning is kept.
CREATE FUNCTION store_job_output(
    worker uuid, jobs uuid[], attempts int[], seqs int[], streams text[], texts text[], quota bigint,
    OUT others uuid[], OUT dropped uuid[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most     CONSTANT bigint := COALESCE(NULLIF(quota, 0), 9223372036854775807);
    too_much boolean;
BEGIN
    SELECT COALESCE(array_agg(DISTINCT j.job), '{}') INTO others
    FROM unnest(jobs, attempts) AS j (job, attempt)
    LEFT JOIN LATERAL (
        SELECT e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.job::text AND e.event_type = 'JobStarted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS started ON true
    WHERE ((started.payload->>'attempt')::int = j.attempt
           AND (started.payload->>'worker_id')::uuid = worker) IS NOT TRUE;
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
REVOKE ALL ON FUNCTION store_job_output(uuid, uuid[], int[], int[], text[], text[], bigint) FROM PUBLIC;

-- As the function without a quota (0: none). Returns how many files were not stored because they do not fit any more;
-- null when the attempt is not this worker's.
CREATE FUNCTION store_job_artifacts(
    worker uuid, job uuid, running_attempt int, paths text[], contents bytea[], quota bigint
) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    most      CONSTANT bigint := COALESCE(NULLIF(quota, 0), 9223372036854775807);
    job_owner uuid;
    dropped   int;
    too_much  boolean;
BEGIN
    PERFORM FROM (
        SELECT e.payload FROM events e
        WHERE e.aggregate_type = 'job' AND e.aggregate_id = job::text AND e.event_type = 'JobStarted'
        ORDER BY e.sequence DESC LIMIT 1
    ) AS started
    WHERE (started.payload->>'attempt')::int = running_attempt AND (started.payload->>'worker_id')::uuid = worker;
    IF NOT FOUND THEN
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
REVOKE ALL ON FUNCTION store_job_artifacts(uuid, uuid, int, text[], bytea[], bigint) FROM PUBLIC;
